"""A task module that can be imported while a file is there."""

import os
from collections.abc import Callable, Mapping

TASKS: Mapping[str, Callable[..., object]] = {}

if not os.path.exists(os.environ["MARKER"]):
    raise OSError("not fine")
