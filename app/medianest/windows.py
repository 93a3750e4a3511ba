"""Counts within a span of time, in the memory of this process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class _Window:
    count: int
    ends: float


class Windows:
    """By key, counts that begin with the first event and end some seconds later.

    Of more than `most` keys the least recently used is forgotten, so that nobody can fill the memory
    with names.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    def add(self, key: str, seconds: float) -> None:
        """One more; the first one opens a window of `seconds`."""
        window = self._windows.get(key)
        if window is None or window.ends <= self._clock():
            window = self._windows[key] = _Window(0, self._clock() + seconds)
        window.count += 1
        self._windows.move_to_end(key)
        if len(self._windows) > self._most:
            self._windows.popitem(last=False)

    def remove(self, key: str) -> None:
        """Begin anew. Without effect where there is none."""
        self._windows.pop(key, None)

    def look(self, key: str) -> tuple[int, float]:
        """The count, and the seconds until it ends."""
        window = self._windows.get(key)
        if window is None or window.ends <= self._clock():
            return 0, 0.0
        return window.count, window.ends - self._clock()
