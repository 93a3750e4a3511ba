"""A task module that cannot be imported."""

raise RuntimeError("no such codec")
