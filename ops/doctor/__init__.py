"""Whether this machine and its tools are fit for stacks: looked at, then judged. Nothing is changed."""
