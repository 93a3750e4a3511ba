"""The last of what a worker printed."""

from __future__ import annotations

import asyncio
import os

_KEPT = 4096
_LINES = 30
_CHUNK = 65536


class Output:
    """A pipe for a worker's stdout and stderr. It is read all the time, so that a worker that prints is
    never held up, and all but the last few lines are forgotten. `writer` is the worker's end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._tail = b""
        self._loop.add_reader(self._reader, self._read)

    def lines(self) -> list[str]:
        """What was printed last, once: the next call tells what came after."""
        if self._reader >= 0:
            self._read()
        text, self._tail = self._tail.decode(errors="replace"), b""
        return text.splitlines()[-_LINES:]

    def close_writer(self) -> None:
        """Leave the worker's end to the worker."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def close(self) -> None:
        """What has been read can still be told."""
        self.close_writer()
        if self._reader >= 0:
            self._read()
        if self._reader >= 0:
            self._end()

    def _read(self) -> None:
        try:
            data = os.read(self._reader, _CHUNK)
        except BlockingIOError:
            return
        if data:
            self._tail = (self._tail + data)[-_KEPT:]
        else:
            self._end()

    def _end(self) -> None:
        self._loop.remove_reader(self._reader)
        os.close(self._reader)
        self._reader = -1
