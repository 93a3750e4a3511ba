"""Steady loads, and the counts of what came of them."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from medianest.soak.http_client import Answer, NoAnswerError

# Buckets 5 % wide: exact enough, and no larger after two days than after a second.
_WIDTH = math.log(1.05)


class Latencies:
    """Durations, counted in buckets."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        self._buckets[round(math.log(max(seconds, 1e-6)) / _WIDTH)] += 1

    def milliseconds(self, share: float) -> float | None:
        """The duration that this share of all stayed below, as 0.99; None when there are none."""
        left = share * self._buckets.total()
        for bucket, count in sorted(self._buckets.items()):
            left -= count
            if left <= 0:
                return round(1000 * math.exp(bucket * _WIDTH), 1)
        return None


class Tally:
    """Requests of one kind: how many came back as expected, how many did not, and how long it took."""

    def __init__(self) -> None:
        self.succeeded = 0
        self.latencies = Latencies()
        self._failures: Counter[str] = Counter()

    async def count(self, request: Awaitable[Answer], *expected: int) -> Answer | None:
        """The answer, when its status is an expected one."""
        began = time.monotonic()
        try:
            answer = await request
        except NoAnswerError as error:
            self._failures[str(error)] += 1
            return None
        if answer.status not in expected:
            self._failures[f"status {answer.status}"] += 1
            return None
        self.succeeded += 1
        self.latencies.add(time.monotonic() - began)
        return answer

    @property
    def total(self) -> int:
        """How many have ended."""
        return self.succeeded + self.failed

    @property
    def failed(self) -> int:
        """How many were answered otherwise, or not at all."""
        return self._failures.total()

    @property
    def note(self) -> str:
        """The most frequent failures."""
        return most_common(self._failures)


def most_common(counts: Counter[str]) -> str:
    """As "status 503: 4, TimeoutError: 1"."""
    return ", ".join(f"{kind}: {count}" for kind, count in counts.most_common(3))


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event at most so long. Returns whether it has happened."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True


async def steady(
    per_second: float, at_once: int, operation: Callable[[], Awaitable[None]], stop: asyncio.Event
) -> None:
    """Begin an operation `per_second` times a second, until `stop`; what has begun is let to its end.

    At most `at_once` of them run at the same time. What is late is left out and not caught up.
    """
    async with asyncio.TaskGroup() as group:
        for number in range(at_once):
            first = number / per_second
            group.create_task(_repeat(first, at_once / per_second, operation, stop))


async def _repeat(
    first: float, every: float, operation: Callable[[], Awaitable[None]], stop: asyncio.Event
) -> None:
    clock = asyncio.get_running_loop().time
    due = clock() + first
    while not await happens(stop, due - clock()):
        await operation()
        due = max(due + every, clock())
