"""Pools for tests, and what a process holds."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medianest.workers.pool import PoolOptions, WorkerPool
from medianest.workers.worker import ENVIRONMENT, MEGABYTE

TESTS = str(Path(__file__).parents[1])
BARE = {**ENVIRONMENT, "PYTHONPATH": f"{ENVIRONMENT['PYTHONPATH']}:{TESTS}"}
"""What a worker needs to find its tasks here."""

MEASURED = BARE | {name: value for name, value in os.environ.items() if "COV" in name}
"""Coverage is taken in the workers too, when it is taken at all; it makes them larger and slower."""

OPTIONS = PoolOptions(size=2, memory_bytes=100 * MEGABYTE, deadline=20)


def pool_of(*modules: str, environment: Mapping[str, str] = BARE, **changes: Any) -> WorkerPool:
    """A pool of the modules beside this one."""
    found = [f"workers.{module}" for module in modules or ("tasks",)]
    return WorkerPool(found, replace(OPTIONS, **changes), environment)


@asynccontextmanager
async def running_pool(
    *modules: str, environment: Mapping[str, str] = BARE, **changes: Any
) -> AsyncIterator[WorkerPool]:
    pool = pool_of(*modules, environment=environment, **changes)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop(0)


@dataclass(frozen=True)
class Held:
    """What this process holds, and can give back."""

    descriptors: int
    threads: int
    children: frozenset[int]

    @classmethod
    def now(cls) -> Held:
        return cls(len(os.listdir("/proc/self/fd")), threading.active_count(), frozenset(children()))


def children() -> set[int]:
    """Processes of this one, and those that nobody has waited for."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid():
                found.add(int(entry.name))
    return found


def pids(pool: WorkerPool) -> list[int]:
    return [worker.pid for worker in pool.figures().workers]


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    os.kill(pid, number)


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for what has no event of its own."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def until_full(pool: WorkerPool) -> None:
    await until(lambda: len(pool.figures().workers) == pool.figures().size)


def resident_kilobytes(pid: int) -> int:
    """Anonymous memory: what a leak would grow."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("RssAnon:")[2].split()[0])
