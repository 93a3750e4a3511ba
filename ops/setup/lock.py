"""One set-up at a time on one machine and for one user."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def setup_lock(file: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock; calls `waiting` with the pid of the holder when another set-up has it.

    The kernel lets go of it when its process ends, however it ends, so no stale lock is possible.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            waiting(stream.read().strip() or "unknown")
            fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        stream.truncate()
        stream.write(str(os.getpid()))
        stream.flush()
        yield
