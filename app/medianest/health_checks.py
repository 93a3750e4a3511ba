"""Whether a service answers, how fast, and what that means for the whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import structlog


class Word(StrEnum):
    """What strangers are told of a service."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True)
class Finding:
    """What a check found. `error` is the name of an exception's class: its text may say too much."""

    word: Word
    latency_ms: float = 0.0
    error: str | None = None


class Findable(Protocol):
    """A check."""

    async def finding(self) -> Finding: ...


@dataclass(frozen=True)
class Service:
    """One line of the health document. Without a `vital` one nothing can be served; without another
    everything can, only slower. `figures` are for those who may see them."""

    name: str
    check: Findable
    vital: bool
    figures: Callable[[], Any] | None = None


class StateCheck:
    """Of a service in this process, which knows its own state: asking is free."""

    def __init__(self, state: Callable[[], str]) -> None:
        self._state = state

    async def finding(self) -> Finding:
        """The state must be one of the words."""
        return Finding(Word(self._state()))


class Check:
    """Whether a service answers. Asked at most once per `lifetime` seconds however many want to know,
    and taken for dead after `timeout` seconds, even if the probe cannot be interrupted."""

    def __init__(
        self,
        name: str,
        probe: Callable[[], Awaitable[None]],
        *,
        timeout: float = 1.0,
        lifetime: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probe = probe
        self._timeout = timeout
        self._lifetime = lifetime
        self._clock = clock
        self._asking = asyncio.Lock()
        self._task: asyncio.Task[Exception | None] | None = None
        self._found: Finding | None = None
        self._expires = 0.0
        self._log = structlog.get_logger(component="health", service=name)

    async def finding(self) -> Finding:
        """A probe that raises or is late counts as unhealthy."""
        async with self._asking:
            if self._found is None or self._clock() >= self._expires:
                began = self._clock()
                error = await self._ask()
                self._found = self._judged(error, self._clock() - began)
                self._expires = self._clock() + self._lifetime
            return self._found

    async def _ask(self) -> Exception | None:
        # A late probe is cancelled, not waited for: psycopg takes its time to give a query up.
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._outcome())
        done, _ = await asyncio.wait({self._task}, timeout=self._timeout)
        if not done:
            self._task.cancel()
        return TimeoutError() if not done or self._task.cancelled() else self._task.result()

    async def _outcome(self) -> Exception | None:
        try:
            await self._probe()
        except Exception as error:
            return error
        return None

    def _judged(self, error: Exception | None, seconds: float) -> Finding:
        was_healthy = self._found is None or self._found.word is Word.HEALTHY
        if error is not None and was_healthy:
            self._log.warning("Service does not answer", error=type(error).__name__)
        elif error is None and not was_healthy:
            self._log.info("Service answers again")
        word = Word.HEALTHY if error is None else Word.UNHEALTHY
        return Finding(word, round(seconds * 1000, 2), None if error is None else type(error).__name__)
