"""Stability checks of a deployed backend: `python -m medianest.soak {auth-cache,memory,workers}`.

They run in a container of the backend's image beside the stack, load it through the gateway, and tell
on standard output what they see: docs/contract.md, "Soak checks".
"""
