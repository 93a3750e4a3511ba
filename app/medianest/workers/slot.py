"""A place in the pool: one worker at a time, replaced whenever it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from medianest.workers.errors import TASK_ERRORS, Ending, TaskFailedError, WorkersUnavailableError
from medianest.workers.figures import PoolCounts
from medianest.workers.jobs import Job, JobQueue
from medianest.workers.worker import (
    MEGABYTE,
    TaskRaisedError,
    Worker,
    WorkerLostError,
    WorkerOptions,
)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
_PROVED_SECONDS = 1.0
_BY_ITSELF = frozenset({Ending.CRASHED, Ending.PROTOCOL})
_QUIET = frozenset({Ending.CANCELLED, Ending.USED_UP, Ending.RESTARTED, Ending.STOPPED})


@dataclass(eq=False)
class Slot:
    """Runs as one asyncio task, `keep`, which does jobs until it is cancelled."""

    queue: JobQueue
    options: WorkerOptions
    counts: PoolCounts
    tasks_per_worker: int | None = None

    def __post_init__(self) -> None:
        self.worker: Worker | None = None
        self.job: Job | None = None
        self.problem: str | None = None
        """Why no worker could be started, until one can."""
        self.up = asyncio.Event()
        self._pause = 0.0
        self._retiring = False
        self._errand: Job | None = None
        self._bell: asyncio.Future[None] | None = None
        self._log = structlog.get_logger(component="workers")

    async def keep(self) -> None:
        """Keep a worker up and give it jobs. Cancelled, it ends the worker and hands its job back."""
        try:
            while True:
                self.worker = await self._start()
                self.up.set()
                while (job := await self._next(self.worker)) is not None:
                    await self._do(self.worker, job)
                await self._replace(self.worker)
        finally:
            error = WorkersUnavailableError("the workers are stopping")
            self._fail_errand(error)
            if self.job is not None:
                self.job.fail(error)
            if self.worker is not None:
                await self._end(self.worker, Ending.STOPPED)

    @property
    def healthy(self) -> bool:
        """A worker that is being replaced is not missed before a start has failed."""
        return self.problem is None

    @property
    def idle(self) -> bool:
        return self.worker is not None and not self.worker.lost and self.job is None

    @property
    def busy(self) -> bool:
        return self.job is not None and not self.job.is_ping

    def retire(self) -> None:
        """Replace the worker once it is idle; `up` is set again when that is done."""
        self._retiring = True
        self.up.clear()
        self._wake()

    def ping(self, job: Job) -> None:
        """Give the worker a job ahead of the queue."""
        self._errand = job
        self._wake()

    async def _start(self) -> Worker:
        while True:
            await asyncio.sleep(self._pause)
            try:
                worker = await Worker.start(self.options)
            except Exception as error:
                self.counts.starts_failed += 1
                self._back_off(str(error))
                self._log.error("Worker cannot start", error=self.problem, retry_in=self._pause)
                continue
            self.counts.workers_created += 1
            self.problem = None
            self._retiring = False
            worker.when_lost(self._wake)
            return worker

    async def _next(self, worker: Worker) -> Job | None:
        """The next job, as soon as there is one; None when the worker can take no more."""
        while not (worker.lost or self._retiring or worker.tasks_done == self.tasks_per_worker):
            job, self._errand = self._errand, None
            job = job or self.queue.take()
            if job is not None:
                return job
            self._bell = self.queue.bell()
            await self._bell
        # The bell may have been rung for a job that another can do.
        self.queue.ring()
        return None

    async def _do(self, worker: Worker, job: Job) -> None:
        """Have a job done. One whose worker is lost stays in `job` until it is known how."""
        self.job = job
        job.tries += 1
        try:
            result = await worker.call(job.number, job.frame, job.deadline, job.overdue)
        except TaskRaisedError as error:
            if error.name == MemoryError.__name__:
                # The kernel's limit was faster than the watch; what is left of the worker is in doubt.
                worker.end(Ending.MEMORY)
                return
            self._log.warning("Task failed", task=job.task, error=error.name, output=worker.output())
            self.counts.tasks_failed += job.fail(TaskFailedError(error.name, error.message))
        except WorkerLostError:
            return
        else:
            worker.output()  # not to be told of the next task
            self.counts.tasks_completed += job.succeed(result) and not job.is_ping
        self.job = None
        self._pause = 0.0
        worker.tasks_done += not job.is_ping
        if worker.resident_bytes() > self.options.memory_bytes:
            worker.end(Ending.MEMORY)

    async def _replace(self, worker: Worker) -> None:
        age = asyncio.get_running_loop().time() - worker.started
        self.up.clear()
        ending = await self._end(worker, Ending.RESTARTED if self._retiring else Ending.USED_UP)
        job, self.job = self.job, None
        if job is not None:
            self._settle(job, ending, worker)
        elif ending in _BY_ITSELF and not worker.tasks_done and age < _PROVED_SECONDS:
            self._back_off(f"it came up and {worker.death()}")
        self._fail_errand(WorkersUnavailableError("the worker ended"))

    async def _end(self, worker: Worker, ending: Ending) -> Ending:
        """End a worker, unless it has ended already; find out why it has."""
        if self.job is not None and not worker.lost:
            worker.end(ending)
        ending = await worker.dismiss(ending)
        self.worker = None
        self.counts.workers_terminated[ending] += 1
        if ending not in _QUIET:
            self._log.warning(
                "Worker ended",
                reason=ending,
                pid=worker.pid,
                how=worker.death(),
                task=self.job and self.job.task,
                output=worker.output(),
            )
        return ending

    def _settle(self, job: Job, ending: Ending, worker: Worker) -> None:
        """Give a job whose worker ended to another one, or give it up."""
        if job.done.done():
            return
        if not job.used_up:
            self.counts.tasks_retried += 1
            self.queue.put_back(job)
            return
        if ending is Ending.MEMORY:
            message = f"used more than {self.options.memory_bytes // MEGABYTE} MB"
        elif ending is Ending.DEADLINE:
            message = f"took longer than {job.deadline:g} s"
        else:
            message = worker.death()
        error = TaskFailedError(TASK_ERRORS.get(ending, "WorkerDied"), f"{message} in {job.tries} tries")
        self.counts.tasks_failed += job.fail(error) and not job.is_ping

    def _fail_errand(self, error: WorkersUnavailableError) -> None:
        errand, self._errand = self._errand, None
        if errand is not None:
            errand.fail(error)

    def _back_off(self, problem: str) -> None:
        self.problem = problem
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)

    def _wake(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)
