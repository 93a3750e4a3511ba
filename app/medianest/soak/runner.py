"""Runs one check: prepares it, loads the stack for so long, tells each second, and gives the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Protocol

from medianest.soak import protocol
from medianest.soak.load import happens
from medianest.soak.protocol import CannotRunError, Figure

TELL_SECONDS = 1.0


class Check(Protocol):
    """One check."""

    async def prepare(self) -> None:
        """What has to be there before the load begins. Raises CannotRunError."""

    def loads(self, stop: asyncio.Event) -> Sequence[Coroutine[None, None, None]]:
        """What runs at the same time, until `stop`. Any of them may raise CannotRunError."""

    async def finish(self, stop: asyncio.Event, /) -> None:
        """What is waited for after the load, until `stop` at the longest."""

    async def close(self) -> None:
        """Close every connection."""

    def figures(self) -> list[Figure]:
        """What has been seen so far."""


async def run(check: Check, seconds: float, tell: Callable[[str], None], stop: asyncio.Event) -> bool:
    """Load for so long, or until `stop`, whichever comes first. Returns whether the check has passed."""
    began = time.monotonic()
    problems: list[str] = []
    begun = False
    try:
        await check.prepare()
        begun = True
        async with _telling(check, began, tell):
            await _load(check, seconds, stop)
            await check.finish(stop)
    except* CannotRunError as errors:
        problems = sorted({str(error) for error in _flat(errors)})
    finally:
        await check.close()
    # Of what never began there is nothing to tell, least of all that no error was seen.
    figures = check.figures() if begun else []
    problems = problems or protocol.reasons(figures)
    tell(protocol.verdict_line(time.monotonic() - began, figures, problems))
    return not problems


async def _load(check: Check, seconds: float, stop: asyncio.Event) -> None:
    over = asyncio.Event()

    async def end() -> None:
        await happens(stop, seconds)
        over.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(end())
        for load in check.loads(over):
            group.create_task(load)


@contextlib.asynccontextmanager
async def _telling(check: Check, began: float, tell: Callable[[str], None]) -> AsyncIterator[None]:
    async def each_second() -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            tell(protocol.progress_line(time.monotonic() - began, check.figures()))

    telling = asyncio.create_task(each_second())
    try:
        yield
    finally:
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling


def _flat(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _flat(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
