"""What becomes of tasks and of the server's process when workers fail in every way they can.

Under load throughout: every task is done exactly once or reported failed, and nothing is left behind.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from medianest.workers.errors import Ending, TaskFailedError, WorkersUnavailableError
from medianest.workers.pool import WorkerPool

from workers.pools import (
    BARE,
    Held,
    children,
    kill,
    pids,
    pool_of,
    resident_kilobytes,
    running_pool,
    until,
    until_full,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["uvloop", pytest.param("asyncio", marks=pytest.mark.slow)])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both loops that a server may run on."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


class Load:
    """Small tasks all the time, each of which leaves a mark for each time it was done."""

    def __init__(self, pool: WorkerPool, folder: Path) -> None:
        self._pool = pool
        self._folder = folder
        self._clients: list[asyncio.Task[None]] = []
        self._ending = False
        self.completed: list[Path] = []
        self.failed: list[Path] = []

    def begin(self, clients: int = 4) -> None:
        self._clients = [asyncio.create_task(self._client(number)) for number in range(clients)]

    async def end(self) -> None:
        self._ending = True
        await asyncio.gather(*self._clients)

    def check(self, *, doubled: int = 0) -> None:
        """A task whose worker died in between may have been done by it, and is then done again."""
        done = [len(path.read_text().splitlines()) for path in self.completed]
        assert len(done) > 10
        assert min(done) == 1
        assert sum(count - 1 for count in done) <= doubled
        assert all(not path.exists() or path.read_text() for path in self.failed)
        figures = self._pool.figures()
        assert (figures.busy, figures.queued) == (0, 0)

    async def _client(self, number: int) -> None:
        count = 0
        while not self._ending:
            count += 1
            path = self._folder / f"{number}-{count}"
            try:
                assert await self._pool.run("once", {"path": str(path), "seconds": 0.002}) == str(path)
                self.completed.append(path)
            except TaskFailedError:
                self.failed.append(path)


async def warm_up() -> None:
    """Let the loop make what it keeps for itself."""
    async with running_pool(size=1):
        pass


Loaded = Callable[..., Any]


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    """A pool under load that must have recovered when the block ends."""

    @asynccontextmanager
    async def run(*, doubled: int = 0, **options: Any) -> AsyncIterator[tuple[WorkerPool, Load]]:
        await warm_up()
        before = Held.now()
        async with running_pool(**options) as pool:
            with_workers = Held.now()
            load = Load(pool, tmp_path)
            load.begin()
            await until(lambda: len(load.completed) > 20)
            yield pool, load
            completed = len(load.completed)
            await until(lambda: len(load.completed) > completed + 20)
            await load.end()
            await until_full(pool)
            assert pool.state() == "healthy"
            load.check(doubled=doubled)
            after = Held.now()
            assert (after.descriptors, after.threads) == (with_workers.descriptors, with_workers.threads)
            assert after.children == before.children | set(pids(pool))
            figures = pool.figures()
            assert figures.workers_created - sum(figures.workers_terminated.values()) == figures.size
        assert Held.now() == before

    return run


async def fails(running: Awaitable[Any]) -> tuple[str, str]:
    with pytest.raises(TaskFailedError) as caught:
        async with asyncio.timeout(20):
            await running
    return caught.value.name, caught.value.message


async def test_workers_killed_one_after_another(loaded: Loaded) -> None:
    async with loaded(doubled=10) as (pool, load):
        for _ in range(5):
            for pid in pids(pool):
                completed = len(load.completed)
                kill(pid)
                await until(lambda seen=completed: len(load.completed) > seen + 5)  # type: ignore[misc]
                # The other one may have done them before the death of this one is known.
                await until(lambda dead=pid: dead not in pids(pool))  # type: ignore[misc]
            await until_full(pool)
        assert pool.figures().workers_terminated[Ending.CRASHED] == 10
        assert load.failed == []


async def test_all_workers_killed_at_once(loaded: Loaded) -> None:
    async with loaded(doubled=20) as (pool, load):
        for round_ in range(5):
            for pid in pids(pool):
                kill(pid)
            await until(lambda due=round_: pool.figures().workers_created >= 2 * due + 4)  # type: ignore[misc]
            await until_full(pool)
        assert pool.figures().workers_terminated[Ending.CRASHED] == 10
        assert len(load.failed) <= 2


async def test_all_idle_workers_killed_at_once() -> None:
    async with running_pool() as pool:
        before = pids(pool)
        for pid in before:
            kill(pid)
        assert await pool.run("add", {"a": 1, "b": 1}) == 2
        await until(lambda: not set(before) & set(pids(pool)))
        await until_full(pool)
        assert not set(before) & set(pids(pool))


@pytest.mark.parametrize(
    ("task", "arguments", "name", "message", "ending"),
    [
        ("segfault", {}, "WorkerDied", "killed by signal 11 (SIGSEGV) in 2 tries", Ending.CRASHED),
        ("leave", {"code": 3}, "WorkerDied", "ended with exit code 3 in 2 tries", Ending.CRASHED),
        ("leave", {"code": 0}, "WorkerDied", "ended with exit code 0 in 2 tries", Ending.CRASHED),
        ("leave_politely", {"code": 5}, "WorkerDied", "ended with exit code 5 in 2 tries", Ending.CRASHED),
        ("fork_and_die", {}, "WorkerDied", "ended with exit code 3 in 2 tries", Ending.CRASHED),
        ("bomb", {}, "MemoryLimitExceeded", "used more than 100 MB in 2 tries", Ending.MEMORY),
        (
            "swell",
            {"megabytes": 140, "seconds": 60},
            "MemoryLimitExceeded",
            "used more than 100 MB in 2 tries",
            Ending.MEMORY,
        ),
        (
            "garbage",
            {"text": "ffffffff"},
            "ProtocolError",
            "sent a message of 4294967295 bytes in 2 tries",
            Ending.PROTOCOL,
        ),
        (
            "garbage",
            {"text": "00000002" + "7b7b"},
            "ProtocolError",
            "sent a message that is not JSON in 2 tries",
            Ending.PROTOCOL,
        ),
        (
            "garbage",
            {"text": "00000002" + "7b7d"},
            "ProtocolError",
            "sent an answer that nobody asked for in 2 tries",
            Ending.PROTOCOL,
        ),
        ("close_all", {}, "ProtocolError", "closed its connection in 2 tries", Ending.PROTOCOL),
    ],
)
async def test_a_task_that_ends_its_worker(
    loaded: Loaded, task: str, arguments: dict[str, Any], name: str, message: str, ending: Ending
) -> None:
    async with loaded() as (pool, load):
        assert await fails(pool.run(task, arguments)) == (name, message)
        assert load.failed == []
        assert pool.figures().workers_terminated[ending] == 2


@pytest.mark.parametrize(
    ("task", "arguments"),
    [
        ("loop", {}),
        ("loop_in_c", {"kind": "regex"}),
        ("loop_in_c", {"kind": "hash"}),
        ("nap", {"seconds": 60}),
    ],
)
async def test_a_task_that_does_not_end(loaded: Loaded, task: str, arguments: dict[str, Any]) -> None:
    async with loaded() as (pool, load):
        error = await fails(pool.run(task, arguments, deadline=0.3))
        assert error == ("DeadlineExceeded", "took longer than 0.3 s in 2 tries")
        assert load.failed == []
        assert pool.figures().workers_terminated[Ending.DEADLINE] == 2


async def test_a_worker_that_is_stopped_at_its_task(loaded: Loaded) -> None:
    async with loaded() as (pool, load):
        running = asyncio.create_task(pool.run("nap", {"seconds": 0.5}, deadline=1))
        await asyncio.sleep(0.1)
        for pid in pids(pool):
            kill(pid, signal.SIGSTOP)
        await asyncio.sleep(0.1)
        for pid in pids(pool):
            # The other one goes on, with what it was at.
            kill(pid, signal.SIGCONT)
        assert await running == 0.5
        assert load.failed == []


async def test_a_worker_that_stays_stopped_is_replaced_and_its_task_done(tmp_path: Path) -> None:
    async with running_pool(size=1, deadline=0.5) as pool:
        kill(pids(pool)[0], signal.SIGSTOP)
        assert await pool.run("once", {"path": str(tmp_path / "task")}) == str(tmp_path / "task")
        assert (tmp_path / "task").read_text() == "done\n"
        assert pool.figures().tasks_retried == 1


async def test_signals_to_end_are_not_for_workers(loaded: Loaded) -> None:
    async with loaded() as (pool, load):
        for pid in pids(pool):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                kill(pid, number)
        completed = len(load.completed)
        await until(lambda: len(load.completed) > completed + 20)
        assert not any(pool.figures().workers_terminated.values())


async def test_a_worker_that_keeps_too_much_is_replaced_after_its_task() -> None:
    async with running_pool(size=1, watch_seconds=60) as pool:
        pid = await pool.run("keep", {"megabytes": 20})
        assert await pool.run("keep", {"megabytes": 90}) == pid
        assert await pool.run("pid", {}) != pid
        assert pool.figures().workers_terminated[Ending.MEMORY] == 1
        assert pool.figures().tasks_completed == 3


async def test_the_death_of_a_worker_is_told_with_its_last_words(logged: list[dict[str, Any]]) -> None:
    async with running_pool() as pool:
        await fails(pool.run("segfault", {}))
        await fails(pool.run("leave", {"code": 3}))
    deaths = [event for event in logged if event["event"] == "Worker ended"]
    assert [(death["reason"], death["task"]) for death in deaths] == [
        *[("crashed", "segfault")] * 2,
        *[("crashed", "leave")] * 2,
    ]
    assert any("in segfault" in line for line in deaths[0]["output"])
    assert deaths[2]["output"] == ["last words"]


async def test_random_cancellation(loaded: Loaded) -> None:
    chance = random.Random(4)
    async with loaded(size=3, queue_limit=1000) as (pool, load):
        for _ in range(20):
            tasks = [asyncio.create_task(pool.run("nap", {"seconds": 0.01})) for _ in range(5)]
            await asyncio.sleep(chance.random() * 0.03)
            for task in chance.sample(tasks, 2):
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(result == 0.01 or isinstance(result, asyncio.CancelledError) for result in results)
        assert load.failed == []
        figures = pool.figures()
        assert figures.tasks_cancelled > 0
        assert figures.tasks_failed == figures.tasks_retried == 0


async def test_ten_thousand_tasks_leave_nothing(tmp_path: Path) -> None:
    async with running_pool(queue_limit=20_000) as pool:

        async def many(count: int) -> None:
            for _ in range(count // 500):
                tasks = [pool.run("add", {"a": number, "b": 1}) for number in range(500)]
                assert await asyncio.gather(*tasks) == list(range(1, 501))

        def sizes() -> list[int]:
            return [resident_kilobytes(pid) for pid in (os.getpid(), *pids(pool))]

        await many(3000)
        before, held = sizes(), Held.now()
        await many(10_000)
        assert Held.now() == held
        growth = [after / former for after, former in zip(sizes(), before, strict=True)]
        assert max(growth) < 1.05
        figures = pool.figures()
        assert (figures.tasks_completed, figures.workers_created) == (13_000, 2)


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        ("broken_hangs", "not up within 0.6 s"),
        ("broken_fails", "RuntimeError: no such codec"),
        ("broken_dies", "ended with exit code 7; cannot go on"),
        ("nowhere", "ModuleNotFoundError: No module named 'workers.nowhere'"),
    ],
)
async def test_workers_that_cannot_start(module: str, problem: str) -> None:
    await warm_up()
    before = Held.now()
    pool = pool_of(module, start_seconds=0.6 if module == "broken_hangs" else 2)
    with pytest.raises(WorkersUnavailableError) as caught:
        await pool.start()
    assert problem in str(caught.value)
    with pytest.raises(WorkersUnavailableError):
        await pool.run("add", {"a": 1, "b": 1})
    # With a pause between tries that grows: 0.1, 0.2, 0.4 and 0.8 s.
    assert pool.figures().starts_failed <= 2 * 5
    assert Held.now() == before


async def test_a_start_that_is_given_up_just_as_a_worker_is_given_up_ends() -> None:
    pool = pool_of("broken_hangs", start_seconds=1.5)
    starting = asyncio.create_task(pool.start())
    known = children()
    await until(lambda: len(children() - known) == 2)
    await asyncio.sleep(0.3)
    # Now that the workers' own time runs, all of them are over in one turn of the loop.
    time.sleep(1.6)
    async with asyncio.timeout(20):
        with pytest.raises(WorkersUnavailableError):
            await starting
    assert children() <= known


async def test_a_pool_that_can_start_no_worker_any_more_says_so_until_it_can(tmp_path: Path) -> None:
    marker = tmp_path / "fine"
    marker.touch()
    async with running_pool("broken_sometimes", environment=_finding(marker)) as pool:
        marker.unlink()
        for pid in pids(pool):
            kill(pid)
        await until(lambda: pool.state() == "unhealthy")
        with pytest.raises(WorkersUnavailableError):
            await pool.run("ping", {})
        with pytest.raises(WorkersUnavailableError):
            await pool.run("ping", {})
        await until(lambda: pool.figures().starts_failed >= 4)
        assert pool.figures().healthy == 0
        marker.touch()
        await until(lambda: pool.state() == "healthy")
        assert await pool.run("ping", {}) is None


async def test_a_restart_that_cannot_replace_a_worker_leaves_the_others(tmp_path: Path) -> None:
    marker = tmp_path / "fine"
    marker.touch()
    async with running_pool("broken_sometimes", environment=_finding(marker), start_seconds=2) as pool:
        marker.unlink()
        with pytest.raises(WorkersUnavailableError, match="cannot be replaced: OSError: not fine"):
            await pool.restart()
        assert len(pids(pool)) == 1
        assert pool.state() == "degraded"
        assert await pool.run("ping", {}) is None


async def test_workers_that_die_by_themselves_do_not_keep_the_server_busy() -> None:
    async with running_pool("broken_later") as pool:
        await until(lambda: pool.state() != "healthy")
        await asyncio.sleep(2)
        # Each pair of a life of 0.15 s and a pause that doubles from 0.1 s.
        assert pool.figures().workers_created <= 2 * 5


async def test_a_worker_larger_than_its_limit_does_not_start() -> None:
    pool = pool_of(memory_bytes=8 * 1024**2, start_seconds=2)
    with pytest.raises(WorkersUnavailableError, match="MB before its first task"):
        await pool.start()


async def test_a_process_that_cannot_be_made_is_a_start_that_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await warm_up()
    before = Held.now()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    pool = pool_of(start_seconds=2)
    with pytest.raises(WorkersUnavailableError, match="No such file"):
        await pool.start()
    assert Held.now() == before


async def test_idle_workers_that_do_not_answer_are_replaced(logged: list[dict[str, Any]]) -> None:
    async with running_pool(size=4, ping_seconds=1) as pool:
        stopped, *others = pids(pool)
        kill(stopped, signal.SIGSTOP)
        await pool.check()
        await until_full(pool)
        assert set(others) < set(pids(pool))
        assert pool.figures().workers_terminated == {
            ending: int(ending is Ending.UNRESPONSIVE) for ending in Ending
        }
        # Not a task of anybody's.
        assert (pool.figures().tasks_completed, pool.figures().tasks_failed) == (0, 0)
    assert "Fewer than half of the workers are healthy" not in [event["event"] for event in logged]


async def test_all_are_replaced_when_fewer_than_half_answer() -> None:
    async with running_pool(size=4, ping_seconds=1, health_seconds=0.2) as pool:
        before = pids(pool)
        for pid in before[:3]:
            kill(pid, signal.SIGSTOP)
        await until(lambda: not set(before) & set(pids(pool)) and len(pids(pool)) == 4)
        terminated = pool.figures().workers_terminated
        assert (terminated[Ending.UNRESPONSIVE], terminated[Ending.RESTARTED]) == (3, 1)


async def test_a_busy_worker_is_not_asked(loaded: Loaded) -> None:
    async with loaded(health_seconds=0.02, ping_seconds=0.5) as (pool, load):
        completed = len(load.completed)
        await until(lambda: len(load.completed) > completed + 100)
        assert load.failed == []
        assert not any(pool.figures().workers_terminated.values())


def _finding(marker: Path) -> dict[str, str]:
    return {**BARE, "MARKER": str(marker)}


async def test_no_child_is_left() -> None:
    assert children() == set()
