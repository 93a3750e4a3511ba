"""CPU work outside the server's process: worker processes, each a fresh interpreter, and their pool.

Kept libraries do not do it: pebble and loky limit neither a worker's memory nor its start-up time.
"""
