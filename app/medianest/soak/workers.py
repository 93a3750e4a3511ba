"""The check `workers`: every accepted picture is done exactly once, and no worker has to be replaced."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Sequence

from medianest.soak.http_client import NoAnswerError
from medianest.soak.load import happens, most_common, steady
from medianest.soak.pictures import MEDIA, Uploads
from medianest.soak.protocol import CannotRunError, Figure, at_most, share
from medianest.soak.replicas import Replicas
from medianest.soak.target import Target
from medianest.soak.user import User
from medianest.workers.errors import Ending

UPLOADS, AT_ONCE = 2.0, 16
LEAST_DONE = 99.0
JOB_SECONDS = 60.0
TERMINATED = "medianest_workers_terminated_total"
UNASKED = (Ending.CRASHED, Ending.MEMORY, Ending.DEADLINE, Ending.PROTOCOL, Ending.UNRESPONSIVE)
"""Why workers end that nobody asked to."""


class Workers:
    """Uploads at a steady rate, and follows each picture to its end."""

    def __init__(self, target: Target, *, job_seconds: float = JOB_SECONDS) -> None:
        self._user = User(target)
        self._pictures = Uploads(self._user, job_seconds=job_seconds)
        self._replicas = Replicas(target)
        self._terminated: dict[str, tuple[float, float]] = {}
        self._began: float | None = None
        self._ended: float | None = None
        self._accepted = 0
        self._pending: dict[str, float] = {}
        self._outcomes: Counter[str] = Counter()
        self._wrong: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._oldest = 0.0

    async def prepare(self) -> None:
        await self._user.prepare()
        try:
            offered = await self._pictures.offered()
        except NoAnswerError as error:
            raise CannotRunError(f"the gateway does not answer: {error}") from None
        if not offered:
            raise CannotRunError(f"this backend takes no pictures: there is no {MEDIA}")
        await self._look()
        if not self._terminated:
            raise CannotRunError("no backend answers: there is nothing to measure")
        self._began = time.monotonic()

    def loads(self, stop: asyncio.Event) -> Sequence[Coroutine[None, None, None]]:
        return [self._measure(stop), steady(UPLOADS, AT_ONCE, self._one, stop)]

    async def finish(self, _stop: asyncio.Event) -> None:
        self._ended = time.monotonic()
        await self._look()

    async def close(self) -> None:
        await asyncio.gather(self._user.close(), self._replicas.close())

    def figures(self) -> list[Figure]:
        done = self._outcomes["done"]
        ended = self._outcomes.total()
        restarts = sum(max(0.0, last - first) for first, last in self._terminated.values())
        seconds = (self._ended or time.monotonic()) - self._began if self._began else 0.0
        refused = self._pictures.uploads
        return [
            share("jobs that are done", done, ended, LEAST_DONE, most_common(self._failures)),
            at_most("jobs lost or doubled", self._wrong.total(), "", 0, most_common(self._wrong)),
            at_most("workers that ended", int(restarts), "", 0),
            Figure("pictures accepted", self._accepted),
            Figure("uploads not accepted", refused.failed, note=refused.note),
            Figure("throughput", round(ended / seconds, 2) if seconds else None, "pictures/s"),
            Figure("age of the queue", round(self._age(), 1), "s", note=f"at most {self._oldest:.1f} s"),
            Figure("upload, p99", refused.latencies.milliseconds(0.99), "ms"),
        ]

    async def _one(self) -> None:
        identifier = await self._pictures.upload()
        if identifier is None:
            return
        self._accepted += 1
        if not identifier or identifier in self._pending:
            self._wrong["accepted without an id of its own"] += 1
            return
        self._pending[identifier] = time.monotonic()
        try:
            await self._follow(identifier)
        finally:
            self._oldest = max(self._oldest, self._age())
            del self._pending[identifier]

    async def _follow(self, identifier: str) -> None:
        answer = await self._pictures.ended(identifier)
        if answer is None:
            self._wrong["not ended in time"] += 1
            return
        state = answer.document()["state"]
        reason = str(answer.document().get("error") or answer.document().get("reason") or "")
        if state == "failed" and not reason:
            self._wrong["failed without a reason"] += 1
        again = await self._pictures.look(identifier)
        if again is not None and again.document().get("state") != state:
            self._wrong["ended twice"] += 1
        self._outcomes[state] += 1
        if state == "failed":
            self._failures[reason[:100]] += 1
        await self._pictures.delete(identifier)

    def _age(self) -> float:
        """Of the oldest picture whose job has not ended, in seconds."""
        return time.monotonic() - min(self._pending.values()) if self._pending else 0.0

    async def _measure(self, stop: asyncio.Event) -> None:
        while not await happens(stop, 1.0):
            await self._look()

    async def _look(self) -> None:
        for address, metrics in (await self._replicas.read()).items():
            told = sum(metrics.value(TERMINATED, "workers", reason=reason) for reason in UNASKED)
            first, _ = self._terminated.get(address, (told, told))
            self._terminated[address] = (first, told)
