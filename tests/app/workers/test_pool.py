import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from medianest.workers.errors import Ending, QueueFullError, TaskFailedError, WorkersUnavailableError
from medianest.workers.frames import FrameError
from medianest.workers.pool import WorkerPool

from workers.pools import BARE, MEASURED, Held, kill, pids, pool_of, running_pool, until, until_full

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    async with running_pool(environment=MEASURED) as pool:
        yield pool


async def failure(pool: WorkerPool, task: str, **arguments: Any) -> TaskFailedError:
    with pytest.raises(TaskFailedError) as caught:
        await pool.run(task, arguments)
    return caught.value


async def test_a_task_is_done_in_another_process(pool: WorkerPool) -> None:
    assert await pool.run("add", {"a": 1, "b": 2}) == 3
    assert await pool.run("pid", {}) in pids(pool)
    figures = pool.figures()
    assert (figures.tasks_completed, figures.tasks_failed, figures.workers_created) == (2, 0, 2)
    assert (figures.size, figures.healthy, figures.busy, figures.queued) == (2, 2, 0, 0)
    assert all(worker.resident_bytes > 1024**2 for worker in figures.workers)
    assert pool.state() == "healthy"


async def test_a_worker_knows_nothing_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "not for workers")
    async with running_pool() as pool:
        found = await pool.run("modules", {})
        assert isinstance(found, list)
        server = {"fastapi", "starlette", "uvicorn", "psycopg", "redis", "structlog", "asyncio"}
        assert not server & set(found)
        environment = await pool.run("environment", {})
        assert isinstance(environment, dict)
        assert set(environment) - {"LC_CTYPE"} == set(BARE)
        # Standard input, output and error, the socket, and the folder that is being listed.
        descriptors = await pool.run("descriptors", {})
        assert isinstance(descriptors, list)
        assert len(descriptors) == 5


async def test_the_kernel_takes_a_worker_first_and_limits_it(pool: WorkerPool) -> None:
    assert str(await pool.run("own", {"name": "oom_score_adj"})).strip() == "1000"
    limits = str(await pool.run("own", {"name": "limits"})).splitlines()
    (data,) = [line for line in limits if line.startswith("Max data size")]
    assert data.split()[3] == str(200 * 1024**2)


async def test_what_a_task_raises_is_its_failure(pool: WorkerPool, logged: list[dict[str, Any]]) -> None:
    error = await failure(pool, "raise_value_error", message="no good")
    assert (error.name, error.message, str(error)) == ("ValueError", "no good", "ValueError: no good")
    assert (await failure(pool, "raise_surrogate")).message == "?"
    assert pool.figures().tasks_failed == 2
    assert not any(pool.figures().workers_terminated.values())
    assert (logged[0]["event"], logged[0]["task"]) == ("Task failed", "raise_value_error")
    assert logged[0]["output"][0].startswith("Traceback")
    assert logged[0]["output"][-1] == "ValueError: no good"


async def test_a_task_that_is_not_there_fails(pool: WorkerPool) -> None:
    assert (await failure(pool, "nonsense")).name == "KeyError"
    assert (await failure(pool, "add", a=1)).name == "TypeError"


async def test_a_result_that_cannot_be_told_fails(pool: WorkerPool) -> None:
    assert (await failure(pool, "unserialisable")).name == "TypeError"
    assert (await failure(pool, "not_a_number")).name == "ValueError"
    assert (await failure(pool, "too_large")).name == "FrameError"
    assert await pool.run("add", {"a": 1, "b": 1}) == 2


async def test_arguments_that_cannot_be_told_are_refused(pool: WorkerPool) -> None:
    with pytest.raises(FrameError):
        await pool.run("greet", {"text": "x" * 2 * 1024**2})
    with pytest.raises(UnicodeEncodeError):
        await pool.run("greet", {"text": "\ud800"})
    assert await pool.run("greet", {"text": "ä\0\n\U0001f600"}) == "ä\0\n\U0001f600"


async def test_a_full_queue_takes_no_more() -> None:
    async with running_pool(queue_limit=3) as pool:
        # Two are taken at once, three wait.
        tasks = [asyncio.create_task(pool.run("nap", {"seconds": 0.3})) for _ in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await pool.run("add", {"a": 1, "b": 1})
        await until(lambda: pool.figures().busy == 2)
        figures = pool.figures()
        assert (figures.queued, figures.queue_limit, figures.saturation) == (3, 3, 2.5)
        assert 0 < figures.oldest_queued_seconds < 5
        assert await asyncio.gather(*tasks) == [0.3] * 5
        figures = pool.figures()
        assert (figures.tasks_completed, figures.tasks_refused, figures.saturation) == (5, 1, 0)
        assert figures.oldest_queued_seconds == 0


async def test_a_pool_that_does_not_run_takes_nothing() -> None:
    pool = pool_of()
    with pytest.raises(WorkersUnavailableError):
        await pool.run("add", {"a": 1, "b": 1})
    await pool.start()
    await pool.stop(0)
    await pool.stop(0)
    with pytest.raises(WorkersUnavailableError):
        await pool.run("add", {"a": 1, "b": 1})


async def test_stopping_lets_running_tasks_finish_and_hands_waiting_ones_back() -> None:
    before = Held.now()
    pool = pool_of()
    await pool.start()
    running = [asyncio.create_task(pool.run("nap", {"seconds": 0.4})) for _ in range(2)]
    waiting = asyncio.create_task(pool.run("nap", {"seconds": 0.4}))
    await until(lambda: pool.figures().busy == 2)
    await pool.stop(10)
    assert await asyncio.gather(*running) == [0.4, 0.4]
    with pytest.raises(WorkersUnavailableError):
        await waiting
    assert pool.figures().workers_terminated[Ending.STOPPED] == 2
    assert Held.now() == before


async def test_stopping_does_not_wait_longer_than_it_may() -> None:
    before = Held.now()
    pool = pool_of()
    await pool.start()
    running = asyncio.create_task(pool.run("loop", {}))
    await until(lambda: pool.figures().busy == 1)
    started = asyncio.get_running_loop().time()
    await pool.stop(0.2)
    assert asyncio.get_running_loop().time() - started < 2
    with pytest.raises(WorkersUnavailableError):
        await running
    assert Held.now() == before


async def test_a_task_whose_worker_dies_while_stopping_is_handed_back() -> None:
    pool = pool_of()
    await pool.start()
    running = asyncio.create_task(pool.run("nap", {"seconds": 30}))
    await until(lambda: pool.figures().busy == 1)
    (busy,) = [worker.pid for worker in pool.figures().workers if worker.busy]
    stopping = asyncio.create_task(pool.stop(20))
    await asyncio.sleep(0)
    kill(busy)
    async with asyncio.timeout(10):
        await stopping
    with pytest.raises(WorkersUnavailableError):
        await running


async def test_stopped_while_it_starts_nothing_is_left() -> None:
    before = Held.now()
    for pause in (0, 0.001, 0.01, 0.03):
        pool = pool_of()
        starting = asyncio.create_task(pool.start())
        await asyncio.sleep(pause)
        started = starting.done()
        await pool.stop(0)
        outcome = (await asyncio.gather(starting, return_exceptions=True))[0]
        assert started is (outcome is None)
        assert started or isinstance(outcome, WorkersUnavailableError)
        assert Held.now() == before


async def test_a_cancelled_task_does_not_wait_any_more(tmp_path: Any) -> None:
    async with running_pool(size=1) as pool:
        running = asyncio.create_task(pool.run("nap", {"seconds": 0.3}))
        waiting = asyncio.create_task(pool.run("once", {"path": str(tmp_path / "waiting")}))
        await until(lambda: pool.figures().busy == 1)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert pool.figures().queued == 0
        assert await running == 0.3
        assert await pool.run("add", {"a": 1, "b": 1}) == 2
        assert not (tmp_path / "waiting").exists()
        assert pool.figures().tasks_cancelled == 1


async def test_a_running_task_that_is_cancelled_frees_its_worker() -> None:
    async with running_pool(size=1) as pool:
        before = pids(pool)
        running = asyncio.create_task(pool.run("nap", {"seconds": 600}))
        await until(lambda: pool.figures().busy == 1)
        running.cancel()
        async with asyncio.timeout(5):
            assert await pool.run("add", {"a": 1, "b": 1}) == 2
        assert running.cancelled()
        assert pids(pool) != before
        figures = pool.figures()
        assert figures.workers_terminated[Ending.CANCELLED] == 1
        assert (figures.tasks_completed, figures.tasks_cancelled, figures.tasks_retried) == (1, 1, 0)


async def test_a_worker_is_replaced_after_so_many_tasks() -> None:
    async with running_pool(size=1, tasks_per_worker=3) as pool:
        found = [await pool.run("pid", {}) for _ in range(7)]
        assert [found.count(pid) for pid in dict.fromkeys(found)] == [3, 3, 1]
        assert pool.figures().workers_terminated[Ending.USED_UP] == 2


async def test_a_restart_replaces_all_workers_and_loses_no_task(pool: WorkerPool) -> None:
    before = pids(pool)
    tasks = [asyncio.create_task(pool.run("nap", {"seconds": 0.02})) for _ in range(40)]
    await asyncio.gather(pool.restart(), pool.restart())
    assert await asyncio.gather(*tasks) == [0.02] * 40
    await until_full(pool)
    assert not set(pids(pool)) & set(before)
    figures = pool.figures()
    assert (figures.tasks_retried, figures.workers_terminated[Ending.RESTARTED]) == (0, 4)


async def test_what_is_printed_disturbs_nothing(
    logged: list[dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    async with running_pool(size=1) as pool:
        assert await pool.run("greet", {"text": "hello"}) == "hello"
        assert await pool.run("chatter", {"megabytes": 8, "code": 0}) is None
        assert (await failure(pool, "raise_value_error", message="")).name == "ValueError"
        assert "hello" not in logged[-1]["output"]
        assert (await failure(pool, "chatter", megabytes=8, code=3)).name == "WorkerDied"
    output = logged[-1]["output"]
    assert output[-1] == "the end"
    assert len(json.dumps(output)) < 8192
    assert capfd.readouterr() == ("", "")
