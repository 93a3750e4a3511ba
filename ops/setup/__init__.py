"""Set-up: what has to be on this machine before a stack can be deployed."""
