"""What waits for the disk runs beside the event loop, and is not left half done."""

from __future__ import annotations

import asyncio
import errno
import functools
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class VolumeError(Exception):
    """The volume cannot be used."""


class VolumeFullError(VolumeError):
    """There is no room for what should be written."""


class Threads:
    """A few threads of its own, so that a volume that does not answer holds up nothing else."""

    def __init__(self, threads: int = 4) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="media")

    async def __call__(self, call: Callable[_P, _T], *arguments: _P.args, **keywords: _P.kwargs) -> _T:
        """Raises what `call` raises; VolumeError in place of an OSError."""
        bound = functools.partial(call, *arguments, **keywords)
        try:
            return await to_the_end(asyncio.get_running_loop().run_in_executor(self._executor, bound))
        except OSError as error:
            kind = VolumeFullError if error.errno in _FULL else VolumeError
            raise kind(error.strerror or type(error).__name__) from error

    def close(self) -> None:
        """No thread is left when this returns."""
        self._executor.shutdown()


async def to_the_end(work: Awaitable[_T]) -> _T:
    """Who is cancelled meanwhile waits for the end of the work, and only then goes: no file is closed
    or removed under a thread, and a file and its row come together or not at all."""
    future = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not future.cancelled():
            future.exception()  # seen, and of no use to anybody
        raise cancelled
    return future.result()
