"""The command `watch`: a stack in the terminal, for as long as somebody looks."""
