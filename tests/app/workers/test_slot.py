import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from medianest.workers.errors import Ending, TaskFailedError, WorkersUnavailableError
from medianest.workers.figures import PoolCounts
from medianest.workers.jobs import JobFactory, JobQueue
from medianest.workers.slot import Slot
from medianest.workers.worker import MEGABYTE, WorkerOptions

from workers.pools import BARE, Held, kill, until


@asynccontextmanager
async def kept(*modules: str) -> AsyncIterator[Slot]:
    """A slot with a queue of its own, and nothing left of it afterwards."""
    before = Held.now()
    options = WorkerOptions([f"workers.{module}" for module in modules], 100 * MEGABYTE, 10, BARE)
    slot = Slot(JobQueue(limit=10), options, PoolCounts())
    keeping = asyncio.create_task(slot.keep())
    try:
        yield slot
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})
    assert Held.now() == before


async def test_it_does_what_is_in_the_queue() -> None:
    async with kept("tasks") as slot:
        jobs = [JobFactory().job("add", {"a": number, "b": 1}, 10) for number in range(3)]
        for job in jobs:
            slot.queue.put(job, at_once=0)
        assert [await job.done for job in jobs] == [1, 2, 3]
        assert slot.counts == PoolCounts(tasks_completed=3, workers_created=1)


async def test_a_worker_that_is_retired_does_its_task_first() -> None:
    async with kept("tasks") as slot:
        await slot.up.wait()
        former = slot.worker
        job = JobFactory().job("nap", {"seconds": 0.2}, 10)
        slot.queue.put(job, at_once=0)
        await until(lambda: slot.busy)
        slot.retire()
        assert not slot.up.is_set()
        assert await job.done == 0.2
        await asyncio.wait_for(slot.up.wait(), 10)
        assert slot.worker is not former
        assert slot.counts.workers_terminated == {Ending.RESTARTED: 1}


async def test_a_ping_goes_before_the_queue_and_is_no_task() -> None:
    async with kept("tasks") as slot:
        await slot.up.wait()
        ping = JobFactory().ping(10)
        slot.ping(ping)
        assert await ping.done is None
        assert slot.counts == PoolCounts(workers_created=1)


async def test_a_worker_that_dies_takes_its_ping_along() -> None:
    async with kept("tasks") as slot:
        await slot.up.wait()
        assert slot.worker is not None
        kill(slot.worker.pid)
        ping = JobFactory().ping(10)
        slot.ping(ping)
        with pytest.raises((WorkersUnavailableError, TaskFailedError)):
            await ping.done


async def test_pauses_between_starts_that_fail_grow(logged: list[dict[str, Any]]) -> None:
    async with kept("broken_fails") as slot:
        await until(lambda: slot.counts.starts_failed >= 4, seconds=30)
        assert not slot.healthy
        assert slot.problem == "RuntimeError: no such codec"
    assert [event["retry_in"] for event in logged][:4] == [0.1, 0.2, 0.4, 0.8]
