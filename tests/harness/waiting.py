"""Waiting for something to happen elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], object], what: str, seconds: float = 30, pause: float = 0.05) -> float:
    """Wait for a condition, asked again after each pause; returns how long that took, in seconds.

    Raises AssertionError saying `what` did not happen.
    """
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} s"
        time.sleep(pause)
    return time.monotonic() - began
