"""Standard output as a pipe that somebody may read too slowly, or not at all.

An engine reads a container's output through a pipe. When its reader is held up (a full or slow disk) the
pipe fills, and a plain `write` would then hold the whole event loop up, health probes included.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import stat
import threading

# The most that Linux gives a process without privileges (fs.pipe-max-size): about 5,000 lines.
_CAPACITY = 1024 * 1024

# Each write wakes whoever reads, and on a busy machine that costs more than a request does.
_PAUSE = 0.01
_MOST_WAITING = 200


class LogPipe:
    """Writes whole lines. A full pipe is waited for once, `patience` seconds; after that lines are
    dropped and counted until there is room again, and the count is told in a line of its own."""

    def __init__(self, descriptor: int, patience: float = 0.1) -> None:
        self._patience = patience
        self._descriptor = descriptor
        self._turn = threading.Lock()
        self._waiting: list[bytes] = []
        self._rest = b""
        self._stalled = False
        self.lost = 0
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            with contextlib.suppress(OSError):
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _CAPACITY)
            with contextlib.suppress(OSError):
                # A description of its own: the other one is shared with every process that inherits
                # standard output, and those may not know how to write without blocking.
                self._descriptor = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK)

    def write(self, line: bytes) -> None:
        """Write a line, which has no newline yet, and what waits. Never raises: a log that fails must
        not fail more."""
        with self._turn:
            self._waiting.append(line)
            self._flush()

    def write_soon(self, line: bytes) -> None:
        """Write a line within 10 ms, together with those that come meanwhile. For lines that may be
        lost when the process is killed. Outside of an event loop: at once."""
        with self._turn:
            self._waiting.append(line)
            if len(self._waiting) == 1:
                try:
                    asyncio.get_running_loop().call_later(_PAUSE, self.flush)
                except RuntimeError:
                    self._flush()
            elif len(self._waiting) >= _MOST_WAITING:
                self._flush()

    def flush(self) -> None:
        """Write what waits."""
        with self._turn:
            self._flush()

    def close(self) -> None:
        """Give its own descriptor back."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)

    def _flush(self) -> None:
        lines, self._waiting = self._waiting, []
        if not lines:
            return
        if self.lost:
            told = b'{"message":"Log lines lost","level":"warning","lines":%d}\n' % self.lost
            if not self._written(told):
                self.lost += len(lines)
                return
            self.lost = 0
        if not self._written(b"\n".join(lines) + b"\n"):
            self.lost += len(lines)

    def _written(self, text: bytes) -> bool:
        # A pipe takes up to 4096 bytes whole or not at all (PIPE_BUF), and of more a part; the rest
        # goes first when there is room again.
        if not self._rest:
            self._rest = text
            self._push()
            if len(self._rest) == len(text):
                self._rest = b""
                return False
            return True
        self._push()
        return not self._rest and self._written(text)

    def _push(self) -> None:
        while self._rest:
            try:
                self._rest = self._rest[os.write(self._descriptor, self._rest) :]
                self._stalled = False
            except BlockingIOError:
                if self._stalled or not self._has_room():
                    self._stalled = True
                    return
            except OSError:
                # Nobody is left to read, or there is no space: dropped.
                self._stalled = True
                return

    def _has_room(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(self._patience * 1000))
