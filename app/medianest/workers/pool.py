"""The worker pool: CPU work in processes that may crash, hang or grow without harm to the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from medianest.workers.errors import Ending, WorkersUnavailableError
from medianest.workers.figures import PoolCounts, PoolFigures, WorkerFigures, state_of
from medianest.workers.frames import JsonValue
from medianest.workers.jobs import Job, JobFactory, JobQueue
from medianest.workers.slot import Slot
from medianest.workers.worker import ENVIRONMENT, MEGABYTE, WorkerOptions


@dataclass(frozen=True)
class PoolOptions:
    """`memory_bytes` is what a worker may hold (resident), `deadline` what a task may take for one try
    unless it says otherwise, `queue_limit` how many tasks may wait, `tasks_per_worker` after how many
    tasks a worker is replaced (None: never). All times are in seconds."""

    size: int
    memory_bytes: int = 100 * MEGABYTE
    deadline: float = 30.0
    queue_limit: int = 100
    tasks_per_worker: int | None = None
    start_seconds: float = 10.0
    health_seconds: float = 30.0
    ping_seconds: float = 5.0
    watch_seconds: float = 0.05


class WorkerPool:
    """Runs the tasks of `modules` (see child), which are imported in the workers only.

    A task whose worker died, was too slow or took too much memory is tried once more, so it should do
    no harm when it is done twice. `environment` is all that a worker finds in its own.
    """

    def __init__(
        self, modules: Sequence[str], options: PoolOptions, environment: Mapping[str, str] = ENVIRONMENT
    ) -> None:
        self._options = options
        self._counts = PoolCounts()
        self._jobs = JobFactory()
        self._queue = JobQueue(options.queue_limit)
        worker = WorkerOptions(modules, options.memory_bytes, options.start_seconds, environment)
        self._slots = [
            Slot(self._queue, worker, self._counts, options.tasks_per_worker) for _ in range(options.size)
        ]
        self._keeping: list[asyncio.Task[None]] = []
        self._tending: list[asyncio.Task[None]] = []
        self._restarting = asyncio.Lock()
        self._cancelled = False
        self._log = structlog.get_logger(component="workers")

    async def start(self) -> None:
        """Start all workers, once. Raises WorkersUnavailableError when they are not up in time."""
        self._keeping = [asyncio.create_task(slot.keep()) for slot in self._slots]
        try:
            async with asyncio.timeout(self._options.start_seconds):
                for slot in self._slots:
                    await slot.up.wait()
        except TimeoutError:
            problems = {slot.problem for slot in self._slots if slot.problem}
            await self.stop(0)
            reason = "; ".join(sorted(problems)) or f"not up within {self._options.start_seconds:g} s"
            raise WorkersUnavailableError(f"the workers cannot start: {reason}") from None
        if self._queue.closed:
            raise WorkersUnavailableError("the workers are stopping")
        self._tending = [asyncio.create_task(self._watch_memory()), asyncio.create_task(self._watch_health())]
        self._log.info("Workers are up", size=len(self._slots))

    async def stop(self, finish_seconds: float) -> None:
        """Accept nothing more, let running tasks finish so long, then end all workers. What was waiting
        or has not finished gets WorkersUnavailableError from its `run`."""
        self._queue.close()
        running = [slot.job.done for slot in self._slots if slot.job is not None]
        if running:
            await asyncio.wait(running, timeout=finish_seconds)
        tasks = [*self._tending, *self._keeping]
        # Once: a second time would interrupt them at tidying up. `Task.cancelling` does not tell, since
        # a time-out that has just run out counts too.
        if not self._cancelled:
            self._cancelled = True
            for task in tasks:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for slot in self._slots:
            slot.up.set()  # nothing to wait for any more

    async def run(
        self, task: str, arguments: Mapping[str, JsonValue], *, deadline: float | None = None
    ) -> JsonValue:
        """Have a task done, and wait for its result. `deadline` bounds one try, without the time in the
        queue. Cancelled, it takes the task out of the queue, or kills the worker that is at it.

        Raises TaskFailedError, QueueFullError and WorkersUnavailableError; FrameError, TypeError and
        ValueError for arguments that JSON cannot express.
        """
        job = self._jobs.job(task, arguments, self._options.deadline if deadline is None else deadline)
        if not self._keeping or all(slot.problem for slot in self._slots):
            raise WorkersUnavailableError("no worker is up")
        try:
            self._queue.put(job, at_once=sum(slot.idle for slot in self._slots))
        except Exception:
            self._counts.tasks_refused += 1
            raise
        try:
            return await job.done
        except asyncio.CancelledError:
            self._abandon(job)
            raise

    async def restart(self) -> None:
        """Replace all workers one after the other, each when it is idle, so that tasks go on.

        Raises WorkersUnavailableError when one cannot be replaced; the rest are left as they are.
        """
        await self._restart(self._slots)

    async def check(self) -> None:
        """Ask all idle workers whether they are there, and replace those that do not answer; all of
        them, when fewer than half are healthy."""
        idle = [slot for slot in self._slots if slot.idle]
        pings = [self._jobs.ping(self._options.ping_seconds) for _ in idle]
        for slot, ping in zip(idle, pings, strict=True):
            slot.ping(ping)
        answers = await asyncio.gather(*(ping.done for ping in pings), return_exceptions=True)
        silent = [
            slot for slot, answer in zip(idle, answers, strict=True) if isinstance(answer, BaseException)
        ]
        healthy = [slot for slot in self._slots if slot.healthy and slot not in silent]
        if state_of(len(healthy), len(self._slots)) == "unhealthy":
            self._log.error("Fewer than half of the workers are healthy", healthy=len(healthy))
            await self._restart(healthy)

    def figures(self) -> PoolFigures:
        """Asks the system for the size of each worker, which takes microseconds."""
        counts, oldest = self._counts, self._queue.oldest()
        workers = [(slot, slot.worker) for slot in self._slots if slot.worker is not None]
        return PoolFigures(
            size=len(self._slots),
            healthy=sum(slot.healthy for slot in self._slots),
            busy=sum(slot.busy for slot in self._slots),
            queued=len(self._queue),
            queue_limit=self._queue.limit,
            oldest_queued_seconds=asyncio.get_running_loop().time() - oldest.accepted if oldest else 0.0,
            tasks_completed=counts.tasks_completed,
            tasks_failed=counts.tasks_failed,
            tasks_cancelled=counts.tasks_cancelled,
            tasks_refused=counts.tasks_refused,
            tasks_retried=counts.tasks_retried,
            workers_created=counts.workers_created,
            workers_terminated={ending: counts.workers_terminated[ending] for ending in Ending},
            starts_failed=counts.starts_failed,
            workers=tuple(
                WorkerFigures(worker.pid, worker.resident_bytes(), slot.busy) for slot, worker in workers
            ),
        )

    def state(self) -> str:
        """`healthy`, `degraded` with fewer than all workers, `unhealthy` with fewer than half."""
        return state_of(sum(slot.healthy for slot in self._slots), len(self._slots))

    def _abandon(self, job: Job) -> None:
        if not job.done.cancelled():
            job.done.exception()  # seen, though nobody wants it
            return
        self._counts.tasks_cancelled += 1
        self._queue.discard(job)
        for slot in self._slots:
            if slot.job is job and slot.worker is not None:
                slot.worker.end(Ending.CANCELLED)

    async def _restart(self, slots: Iterable[Slot]) -> None:
        async with self._restarting:
            for slot in slots:
                patience = self._options.start_seconds + (slot.job.deadline if slot.job else 0)
                slot.retire()
                try:
                    async with asyncio.timeout(patience):
                        await slot.up.wait()
                except TimeoutError:
                    reason = slot.problem or f"not up again within {patience:g} s"
                    raise WorkersUnavailableError(f"a worker cannot be replaced: {reason}") from None

    async def _watch_memory(self) -> None:
        while True:
            await asyncio.sleep(self._options.watch_seconds)
            for slot in self._slots:
                if slot.worker is None or slot.job is None:
                    continue
                if slot.worker.resident_bytes() > self._options.memory_bytes:
                    slot.worker.end(Ending.MEMORY)

    async def _watch_health(self) -> None:
        while True:
            await asyncio.sleep(self._options.health_seconds)
            try:
                await self.check()
            except WorkersUnavailableError as error:
                self._log.error("The workers cannot be restarted", error=str(error))
