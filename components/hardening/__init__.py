"""The rules that every container keeps: one table, for what is declared and for what runs.

Free of Pulumi, but for `enforcement`: the command line makes its helpers by the same table.
"""
