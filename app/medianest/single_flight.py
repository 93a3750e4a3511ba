"""One at a time for each key: whoever wants what is being fetched already waits for that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs work in tasks of its own, so that a requester who goes away takes nobody's answer along."""

    def __init__(self) -> None:
        self._current: dict[str, asyncio.Task[T]] = {}
        self._running: set[asyncio.Task[T]] = set()
        self.started = 0

    async def run(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        """What the work under way for `key` returns or raises; without any, `work` is begun."""
        task = self._current.get(key)
        if task is None:
            task = asyncio.create_task(self._finish(key, work))
            self._current[key] = task
            self._running.add(task)
            self.started += 1
        return await asyncio.shield(task)

    def forget(self, key: str) -> None:
        """Let nobody else join the work under way: what it fetches is out of date."""
        self._current.pop(key, None)

    def current(self, key: str) -> bool:
        """Asked from inside work: whether it has not been forgotten meanwhile."""
        return self._current.get(key) is asyncio.current_task()

    async def close(self) -> None:
        """Cancel what is under way."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _finish(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        finally:
            if self.current(key):
                self.forget(key)
            task = asyncio.current_task()
            assert task is not None
            self._running.discard(task)
