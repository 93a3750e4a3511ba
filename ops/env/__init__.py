"""Environments: stacks to throw away, each with a lease that expires."""
