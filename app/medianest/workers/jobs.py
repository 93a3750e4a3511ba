"""Tasks that were accepted, and the queue where they wait."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from medianest.workers.errors import Ending, QueueFullError, WorkersUnavailableError
from medianest.workers.frames import PING, READY, JsonValue, encode

TRIES = 2
"""How many workers a task may cost before it is given up."""


@dataclass(eq=False)
class Job:
    """A task on its way. `deadline` is in seconds and for one try. `tries` counts the workers that have
    had it. A ping asks a worker whether it is there, and counts nowhere."""

    number: int
    frame: bytes
    task: str
    deadline: float
    accepted: float
    done: asyncio.Future[JsonValue]
    is_ping: bool = False
    tries: int = 0

    @property
    def overdue(self) -> Ending:
        """How a worker ends that misses the deadline."""
        return Ending.UNRESPONSIVE if self.is_ping else Ending.DEADLINE

    @property
    def used_up(self) -> bool:
        """Whether it has had all its tries."""
        return self.is_ping or self.tries >= TRIES

    def succeed(self, result: JsonValue) -> bool:
        """False when nobody waits for it any more."""
        if self.done.done():
            return False
        self.done.set_result(result)
        return True

    def fail(self, error: Exception) -> bool:
        """False when nobody waits for it any more."""
        if self.done.done():
            return False
        self.done.set_exception(error)
        return True


class JobFactory:
    """Numbers jobs, so that an answer can be told from one to an earlier request."""

    def __init__(self) -> None:
        self._numbers = itertools.count(READY + 1)

    def job(self, task: str, arguments: Mapping[str, JsonValue], deadline: float) -> Job:
        """Raises FrameError, TypeError and ValueError for arguments that cannot be sent."""
        number, loop = next(self._numbers), asyncio.get_running_loop()
        frame = encode({"id": number, "task": task, "arguments": arguments})
        return Job(number, frame, task, deadline, loop.time(), loop.create_future())

    def ping(self, seconds: float) -> Job:
        """A worker that does not answer in time is not healthy."""
        job = self.job(PING, {}, seconds)
        job.is_ping = True
        return job


class JobQueue:
    """First in, first out. Whoever waits for a job leaves a bell, which is rung once for each job."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._jobs: deque[Job] = deque()
        self._bells: deque[asyncio.Future[None]] = deque()
        self.closed = False

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: Job, at_once: int) -> None:
        """Raises QueueFullError, for which so many jobs as will be taken at once do not count, and
        WorkersUnavailableError."""
        if self.closed:
            raise _stopping()
        if len(self._jobs) >= self.limit + at_once:
            raise QueueFullError(f"{len(self._jobs)} tasks wait already")
        self._jobs.append(job)
        self.ring()

    def put_back(self, job: Job) -> None:
        """First in line again, whatever the limit."""
        if self.closed:
            job.fail(_stopping())
            return
        self._jobs.appendleft(job)
        self.ring()

    def take(self) -> Job | None:
        """The next job, if there is one."""
        return self._jobs.popleft() if self._jobs else None

    def discard(self, job: Job) -> None:
        """Take it out, if it is there."""
        if job in self._jobs:
            self._jobs.remove(job)

    def oldest(self) -> Job | None:
        """The one that was accepted first."""
        return min(self._jobs, key=lambda job: job.accepted, default=None)

    def bell(self) -> asyncio.Future[None]:
        """Is rung for a job, which another may have taken before."""
        self._bells = deque(bell for bell in self._bells if not bell.done())
        bell: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._bells.append(bell)
        return bell

    def ring(self) -> None:
        """Tell one who waits, if there is a job and one who waits."""
        while self._jobs and self._bells:
            bell = self._bells.popleft()
            if not bell.done():
                bell.set_result(None)
                return

    def close(self) -> None:
        """Accept nothing more, and hand back what waits."""
        self.closed = True
        while self._jobs:
            self._jobs.popleft().fail(_stopping())


def _stopping() -> WorkersUnavailableError:
    return WorkersUnavailableError("the workers are stopping")
