"""A task module that ends its process soon after the worker is up."""

import os
import threading
from collections.abc import Callable, Mapping

TASKS: Mapping[str, Callable[..., object]] = {}

threading.Timer(0.15, os._exit, [5]).start()
