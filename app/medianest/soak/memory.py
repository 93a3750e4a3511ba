"""The check `memory`: under a mixed load no replica grows, and afterwards everything is given back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace

from medianest.soak.growth import Series
from medianest.soak.http_client import Answer, NoAnswerError
from medianest.soak.load import Tally, happens, steady
from medianest.soak.pictures import Uploads
from medianest.soak.protocol import CannotRunError, Figure, at_most, share
from medianest.soak.replicas import Metrics, Replicas
from medianest.soak.target import Target
from medianest.soak.user import User

LEAST_SUCCESS = 99.9
MOST_GROWTH, GROWTH_FLOOR_BYTES = 0.05, 2e6
POOL_CONNECTIONS = 2
# The cache keeps the connections that it has opened, and so does the gateway for a while.
MORE_FILES = 16
# The pool closes what has been idle for 5 minutes, and looks for it once a minute.
RETURN_SECONDS = 420.0
LOST_SECONDS = 10.0
LOGINS, READS, WRITES, TOKENS, UPLOADS = 2, 30, 5, 10, 0.5

MEMORY = "process_resident_memory_bytes"
FILES = "process_open_fds"
STARTED = "process_start_time_seconds"
CONNECTIONS = "medianest_database_connections"


class Replica:
    """What is known of one replica. Raises CannotRunError for a value that it does not tell."""

    def __init__(self, metrics: Metrics) -> None:
        self.memory = Series()
        self._started = metrics.total(STARTED)
        self.restarted = False
        self.look(metrics)
        self._files_before = self.files

    def look(self, metrics: Metrics) -> None:
        self.seen = time.monotonic()
        self.resident = metrics.value(MEMORY, "memory")
        self.files = int(metrics.value(FILES, "open files"))
        self.connections = int(metrics.value(CONNECTIONS, "connections"))
        self.restarted |= metrics.total(STARTED) != self._started

    @property
    def lost(self) -> bool:
        """Whether it has ended, or at least does not answer any more."""
        return self.restarted or time.monotonic() - self.seen > LOST_SECONDS

    @property
    def more_files(self) -> int:
        return self.files - self._files_before

    @property
    def returned(self) -> bool:
        return self.connections <= POOL_CONNECTIONS and self.more_files <= MORE_FILES


class Memory:
    """A mixed load through the gateway, and a look at every replica each `look_seconds`."""

    def __init__(
        self, target: Target, *, look_seconds: float = 1.0, return_seconds: float = RETURN_SECONDS
    ) -> None:
        self._look_seconds = look_seconds
        self._user = User(target)
        self._pictures = Uploads(self._user)
        self._replicas = Replicas(target)
        self._return_seconds = return_seconds
        self._known: dict[str, Replica] = {}
        self._requests = Tally()
        self._uploading = False
        self._load_ended = False
        self._judged_return = False

    async def prepare(self) -> None:
        await self._user.prepare()
        await self._look()
        if not self._known:
            raise CannotRunError("no backend answers: there is nothing to measure")
        try:
            self._uploading = await self._pictures.offered()
        except NoAnswerError as error:
            raise CannotRunError(f"the gateway does not answer: {error}") from None

    def loads(self, stop: asyncio.Event) -> Sequence[Coroutine[None, None, None]]:
        return [
            self._measure(stop),
            steady(LOGINS, 1, self._counted(self._user.log_in), stop),
            steady(READS, 4, self._counted(self._user.read), stop),
            steady(WRITES, 1, self._counted(self._user.write), stop),
            steady(TOKENS, 1, self._counted(self._user.test_jwt), stop),
            *([steady(UPLOADS, 1, self._upload, stop)] if self._uploading else []),
        ]

    async def finish(self, stop: asyncio.Event) -> None:
        """Wait until connections and files are given back."""
        self._load_ended = True
        await self._user.close()
        deadline = time.monotonic() + self._return_seconds
        while not stop.is_set():
            await self._look()
            returned = all(replica.returned for replica in self._known.values() if not replica.lost)
            if returned or time.monotonic() > deadline:
                self._judged_return = True
                return
            await happens(stop, self._look_seconds)

    async def close(self) -> None:
        await asyncio.gather(self._user.close(), self._replicas.close())

    def figures(self) -> list[Figure]:
        present = [replica for replica in self._known.values() if not replica.lost]
        lost = len(self._known) - len(present)
        uploads = self._pictures.uploads
        return [
            *(self._growth(address, replica) for address, replica in sorted(self._known.items())),
            at_most("replicas that ended", lost, "", 0),
            self._return(
                "database connections",
                sum(replica.connections for replica in present),
                POOL_CONNECTIONS * len(present),
            ),
            self._return(
                "open files more than before",
                sum(replica.more_files for replica in present),
                MORE_FILES * len(present),
            ),
            share(
                "requests that succeed",
                self._requests.succeeded,
                self._requests.total,
                LEAST_SUCCESS,
                self._requests.note,
            ),
            Figure("requests", self._requests.total),
            Figure("uploads", uploads.total, note=uploads.note if self._uploading else "not offered"),
        ]

    def _growth(self, address: str, replica: Replica) -> Figure:
        """Not judged while there are too few samples, nor of one that ended."""
        found = replica.memory.growth
        allowed = max(MOST_GROWTH * (found.start if found else replica.resident), GROWTH_FLOOR_BYTES)
        resident = f"{replica.resident / 1e6:.1f} MB resident"
        name, goal = f"growth of {address}", f"at most {allowed / 1e6:.1f} MB"
        if replica.lost:
            return Figure(name, None, "MB", note="ended")
        if found is None:
            return Figure(name, None, "MB", goal, note=resident)
        within = found.within(MOST_GROWTH, GROWTH_FLOOR_BYTES)
        return Figure(name, round(found.total / 1e6, 2), "MB", goal, within, resident)

    def _return(self, name: str, value: int, most: int) -> Figure:
        """Judged only after the load, when it has been waited for."""
        if self._judged_return:
            return at_most(name, value, "", most, "after the load")
        note = f"waited for, at most {self._return_seconds / 60:g} min" if self._load_ended else ""
        return replace(at_most(name, value, "", most, note), ok=None)

    def _counted(self, request: Callable[[], Awaitable[Answer]]) -> Callable[[], Awaitable[None]]:
        async def once() -> None:
            await self._requests.count(request(), 200)

        return once

    async def _upload(self) -> None:
        identifier = await self._pictures.upload()
        if identifier is not None:
            await self._pictures.ended(identifier)
            await self._pictures.delete(identifier)

    async def _measure(self, stop: asyncio.Event) -> None:
        began = due = time.monotonic()
        while not await happens(stop, due - time.monotonic()):
            for replica in await self._look():
                replica.memory.add(time.monotonic() - began, replica.resident)
            due = max(due + self._look_seconds, time.monotonic())

    async def _look(self) -> list[Replica]:
        """Those that answered."""
        answered = []
        for address, metrics in (await self._replicas.read()).items():
            if address in self._known:
                self._known[address].look(metrics)
            else:
                self._known[address] = Replica(metrics)
            answered.append(self._known[address])
        return answered
