"""Secrets of a stack: what there is, and how a new value takes the place of the former one."""
