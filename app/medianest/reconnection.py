"""Whether a service answers, and the way back to one that does not."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

import structlog

ATTEMPTS = 10
LONGEST_PAUSE = 30.0


def pause_before(attempt: int) -> float:
    """Seconds to wait before the attempt of this number, counted from 1: 1, 2, 4, 8, 16, then 30."""
    return min(2.0 ** min(attempt - 1, 10), LONGEST_PAUSE)


class Reconnection:
    """Notes that a service was lost, and reaches for it in the background until it answers.

    `reach` is a ready check that raises when the service is not ready. `sleep` and `clock` count
    seconds.
    """

    def __init__(
        self,
        service: str,
        reach: Callable[[], Awaitable[None]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._reach = reach
        self._sleep = sleep
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger(component="reconnection", service=service)
        self.answers = True
        self.outages = 0

    def lost(self, error: BaseException) -> None:
        """The service did not answer. From now on `answers` is false, until it does."""
        if self.answers:
            self.answers = False
            self._task = asyncio.create_task(self._recover(error))

    async def close(self) -> None:
        """Give up reaching for it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _recover(self, error: BaseException) -> None:
        down = self._clock()
        # One late answer is not an outage: who answers now is back before anybody hears of it.
        if await self._reached():
            self.answers = True
            return
        self.outages += 1
        self._log.warning("Service does not answer; going on without it", error=type(error).__name__)
        for attempt in itertools.count(1):
            await self._sleep(pause_before(attempt))
            if await self._reached():
                break
            if attempt == ATTEMPTS:
                self._log.critical(
                    "Service has not come back; trying on",
                    attempts=attempt,
                    seconds=self._since(down),
                    every=LONGEST_PAUSE,
                )
        self.answers = True
        self._log.info("Service answers again", attempts=attempt, seconds=self._since(down))

    async def _reached(self) -> bool:
        try:
            await self._reach()
        except Exception as error:
            # Whatever it is: a way back that ends on an error nobody expected never leads back.
            self._log.debug("Still no answer", error=type(error).__name__)
            return False
        return True

    def _since(self, down: float) -> float:
        return round(self._clock() - down, 1)
