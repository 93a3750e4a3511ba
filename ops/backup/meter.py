"""Says what a long run is at, and how many bytes have gone through it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator

from ops.output import Verbosity, megabytes, verbosity

REFRESH_SECONDS = 0.2


class Meter:
    """Progress on stderr: one line for each phase, with a running count on a terminal."""

    def __init__(self) -> None:
        self._quiet = verbosity.get() is Verbosity.QUIET
        self._terminal = sys.stderr.isatty()
        self._shown = 0.0
        self._bytes = 0
        self._phase = ""

    def phase(self, text: str) -> None:
        """Say what begins now."""
        self._phase, self._bytes = text, 0
        if self._quiet:
            return
        print(f"\r\033[K{text}" if self._terminal else text, file=sys.stderr, flush=True)

    def count(self, length: int) -> None:
        """So many more bytes have gone through."""
        self._bytes += length
        now = time.monotonic()
        if self._terminal and not self._quiet and now - self._shown > REFRESH_SECONDS:
            self._shown = now
            print(f"\r\033[K  {megabytes(self._bytes)}\r", end="", file=sys.stderr, flush=True)

    def through(self, content: Iterable[bytes]) -> Iterator[bytes]:
        """The same content, counted."""
        for part in content:
            self.count(len(part))
            yield part
