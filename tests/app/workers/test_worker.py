import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
from medianest.workers.errors import Ending
from medianest.workers.jobs import JobFactory
from medianest.workers.worker import (
    MEGABYTE,
    TaskRaisedError,
    Worker,
    WorkerLostError,
    WorkerOptions,
    WorkerStartError,
    describe_exit,
)

from workers.pools import BARE, Held, until

OPTIONS = WorkerOptions(["workers.tasks"], 100 * MEGABYTE, 10, BARE)


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = await Worker.start(OPTIONS)
    yield worker
    await worker.kill(Ending.STOPPED)


async def call(worker: Worker, task: str, deadline: float = 10, **arguments: float) -> object:
    job = JobFactory().job(task, arguments, deadline)
    return await worker.call(job.number, job.frame, deadline, Ending.DEADLINE)


async def test_it_does_tasks_until_it_is_dismissed() -> None:
    before = Held.now()
    worker = await Worker.start(OPTIONS)
    assert await call(worker, "add", a=1, b=2) == 3
    with pytest.raises(TaskRaisedError) as caught:
        await call(worker, "raise_value_error", message=1)
    assert (caught.value.name, caught.value.message) == ("ValueError", "1")
    assert worker.resident_bytes() > MEGABYTE
    assert not worker.lost
    assert await worker.dismiss(Ending.RESTARTED) is Ending.RESTARTED
    assert worker.death() == "ended with exit code 0"
    assert worker.lost
    assert worker.resident_bytes() == 0
    with pytest.raises(WorkerLostError):
        await call(worker, "add", a=1, b=2)
    assert Held.now() == before


async def test_the_first_reason_to_end_counts(worker: Worker) -> None:
    told = asyncio.Event()
    worker.when_lost(told.set)
    worker.end(Ending.MEMORY)
    worker.end(Ending.DEADLINE)
    assert worker.lost
    await asyncio.wait_for(told.wait(), 5)
    assert await worker.reap() is Ending.MEMORY
    assert await worker.reap() is Ending.MEMORY
    assert worker.death() == "killed by signal 9 (SIGKILL)"


async def test_a_late_task_ends_the_worker(worker: Worker) -> None:
    with pytest.raises(WorkerLostError):
        await call(worker, "nap", deadline=0.1, seconds=60)
    assert await worker.reap() is Ending.DEADLINE


async def test_a_death_is_known_before_the_loop_hears_of_it(worker: Worker) -> None:
    os.kill(worker.pid, signal.SIGKILL)
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
    assert worker.lost
    assert await worker.dismiss(Ending.STOPPED) is Ending.CRASHED


async def test_an_idle_worker_that_does_not_end_is_killed(worker: Worker) -> None:
    os.kill(worker.pid, signal.SIGSTOP)
    assert await worker.dismiss(Ending.RESTARTED) is Ending.RESTARTED
    assert worker.death() == "killed by signal 9 (SIGKILL)"


async def test_a_start_that_is_cancelled_leaves_nothing() -> None:
    before = Held.now()
    for pause in (0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05):
        starting = asyncio.create_task(Worker.start(OPTIONS))
        await asyncio.sleep(pause)
        starting.cancel()
        await asyncio.wait({starting})
        if not starting.cancelled():
            await starting.result().kill(Ending.STOPPED)
        assert Held.now() == before


async def test_why_it_cannot_start_is_told_with_what_it_printed() -> None:
    with pytest.raises(WorkerStartError, match=r"^ended with exit code 7; cannot go on$"):
        await Worker.start(WorkerOptions(["workers.broken_dies"], 100 * MEGABYTE, 10, BARE))
    with pytest.raises(WorkerStartError, match=r"^it was not up within 1 s; going to sleep$"):
        await Worker.start(WorkerOptions(["workers.broken_hangs"], 100 * MEGABYTE, 1, BARE))


async def test_output_is_kept_for_who_asks(worker: Worker) -> None:
    await call(worker, "greet", text=1)
    await until(lambda: worker.output() == ["1"])


def test_exits_in_words() -> None:
    assert describe_exit(0) == "ended with exit code 0"
    assert describe_exit(-11) == "killed by signal 11 (SIGSEGV)"
    assert describe_exit(-99) == "killed by signal 99"
    assert describe_exit(None) == "still there after it was killed"
