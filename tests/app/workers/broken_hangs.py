"""A task module whose import does not end."""

import time

print("going to sleep")
time.sleep(600)
