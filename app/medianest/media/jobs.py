"""Has the thumbnails of accepted pictures made: claims jobs, gives them to the workers, reports."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

from medianest.database import DatabaseUnavailableError
from medianest.media.claims import Claim, Claims
from medianest.media.limits import SIZES
from medianest.media.store import Store
from medianest.workers.errors import QueueFullError, TaskFailedError, WorkersUnavailableError
from medianest.workers.frames import JsonValue
from medianest.workers.pool import WorkerPool

TASK = "thumbnails"
UNUSABLE = "UnusablePicture"


@dataclass(frozen=True)
class JobTimes:
    """In seconds: how long a claim holds without being renewed, how often it is renewed, how often jobs
    of other replicas are looked for, and how long one try of a task may take."""

    lease: float = 20.0
    renew: float = 5.0
    poll: float = 1.0
    deadline: float = 30.0


@dataclass
class JobCounts:
    """Since the start of the process. `lost` were taken over by another process."""

    done: int = 0
    failed: int = 0
    handed_back: int = 0
    lost: int = 0


class Jobs:
    """Claims no more than there are free workers for. `accepting` says whether to go on claiming, and
    `ended` is told of each content whose job is through."""

    def __init__(
        self,
        claims: Claims,
        pool: WorkerPool,
        store: Store,
        times: JobTimes,
        *,
        accepting: Callable[[], bool],
        ended: Callable[[str], Awaitable[None]],
    ) -> None:
        self.counts = JobCounts()
        self._claims = claims
        self._pool = pool
        self._store = store
        self._times = times
        self._accepting = accepting
        self._ended = ended
        self._running: dict[Claim, asyncio.Task[None]] = {}
        self._at_workers: set[Claim] = set()
        self._woken = asyncio.Event()
        self._stopping = False
        self._loops: list[asyncio.Task[None]] = []
        self._database_answers = True
        self._log = structlog.get_logger(component="media")

    @property
    def running(self) -> int:
        return len(self._running)

    def start(self) -> None:
        """Begin to claim."""
        self._loops = [asyncio.create_task(self._claim()), asyncio.create_task(self._renew())]

    def wake(self) -> None:
        """There may be something to do."""
        self._woken.set()

    async def stop(self, finish_seconds: float) -> None:
        """Claim nothing more, let running jobs finish so long, and hand the rest back."""
        self._stopping = True
        self.wake()
        if not self._loops:
            return
        claiming, renewing = self._loops
        # Not cancelled at once: a claim that is being written would be nobody's until it runs out.
        await asyncio.wait({claiming, *self._running.values()}, timeout=finish_seconds)
        claiming.cancel()
        await asyncio.wait({claiming})
        running = list(self._running.values())
        for task in running:
            task.cancel()
        renewing.cancel()
        await asyncio.gather(*self._loops, *running, return_exceptions=True)

    async def _claim(self) -> None:
        while not self._stopping:
            self._woken.clear()
            if self._accepting() and (free := self._free()):
                for claim in await self._take(free):
                    task = asyncio.create_task(self._run(claim))
                    self._running[claim] = task
                    task.add_done_callback(lambda _, claim=claim: self._running.pop(claim))  # type: ignore[misc]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._times.poll):
                    await self._woken.wait()

    def _free(self) -> int:
        figures = self._pool.figures()
        return max(0, figures.healthy - max(figures.busy + figures.queued, len(self._running)))

    async def _take(self, most: int) -> list[Claim]:
        try:
            claims = await self._claims.take(most)
        except DatabaseUnavailableError:
            self._database_is(answering=False)
            return []
        except Exception:
            self._log.exception("Jobs cannot be claimed")
            return []
        self._database_is(answering=True)
        return claims

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._times.renew)
            if not self._running:
                continue
            claims = list(self._running)
            try:
                held = await self._claims.renew(claims)
            except DatabaseUnavailableError:
                continue  # nobody else gets at the claims either
            except Exception:
                self._log.exception("Claims cannot be renewed")
                continue
            for claim in claims:
                if claim.sha256 not in held and claim in self._at_workers:
                    self._running[claim].cancel()

    async def _run(self, claim: Claim) -> None:
        try:
            answer = await self._work(claim)
        except TaskFailedError as error:
            await self._failed(claim, error.name, error.message)
        except (QueueFullError, WorkersUnavailableError):
            await self._hand_back(claim)
        except asyncio.CancelledError:
            await self._hand_back(claim)
            raise
        except Exception as error:
            self._log.exception("Job could not be given to a worker")
            await self._failed(claim, type(error).__name__, str(error))
        else:
            await self._report(claim, answer)
        await self._ended(claim.sha256)
        self.wake()

    def _arguments(self, claim: Claim) -> Mapping[str, JsonValue]:
        return {
            "original": str(self._store.original(claim.sha256)),
            "targets": {str(size): str(self._store.thumbnail(claim.sha256, size)) for size in SIZES},
            "scratch": str(self._store.scratch),
        }

    async def _work(self, claim: Claim) -> JsonValue:
        self._at_workers.add(claim)
        try:
            return await self._pool.run(TASK, self._arguments(claim), deadline=self._times.deadline)
        finally:
            self._at_workers.remove(claim)

    async def _report(self, claim: Claim, answer: JsonValue) -> None:
        found = answer if isinstance(answer, Mapping) else {}
        metadata = found.get("metadata")
        if not isinstance(metadata, Mapping):
            await self._failed(claim, UNUSABLE, str(found.get("problem")))
        elif await self._end(lambda: self._claims.done(claim, metadata)):
            self.counts.done += 1

    async def _failed(self, claim: Claim, name: str, message: str) -> None:
        if await self._end(lambda: self._claims.failed(claim, name, message)):
            self.counts.failed += 1
            if name != UNUSABLE:
                self._log.error("Job failed", sha256=claim.sha256, error=name, detail=message)

    async def _hand_back(self, claim: Claim) -> None:
        if await self._end(lambda: self._claims.hand_back(claim)):
            self.counts.handed_back += 1

    async def _end(self, write: Callable[[], Awaitable[bool]]) -> bool:
        """Write the outcome, as soon as Postgres takes it. A claim that cannot be ended runs out."""
        pause = 0.1
        while True:
            try:
                held = await write()
                break
            except DatabaseUnavailableError:
                if self._stopping:
                    return False
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._times.renew)
        self.counts.lost += not held
        return held

    def _database_is(self, *, answering: bool) -> None:
        if answering != self._database_answers:
            self._database_answers = answering
            if answering:
                self._log.info("Jobs are claimed again")
            else:
                self._log.warning("Jobs cannot be claimed: the database is not available")
