"""Faults of the backend and of what it stands on, made real under load.

After each: every acknowledged write is there, every accepted job is done once, and memory, files,
threads and connections are back to where they were.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import pytest
import requests
from docker.models.containers import Container

from tests.harness.backend_container import BackendContainer
from tests.harness.fault_results import measured
from tests.harness.inside import output_of
from tests.harness.load.account import log_in
from tests.harness.load.load import Load
from tests.harness.load.plan import faulty
from tests.harness.service_containers import Services, wait_until

# Without Redis everything works, only slower; 429 is the answer of a full queue of jobs.
UNTOUCHED: tuple[str, ...] = ("429",)
# Without Postgres a request is told so, with a time to come back at.
TOLD = ("429", "503")
# A backend that was killed answers nothing until it is back.
CUT = (
    *TOLD,
    *("ConnectionRefusedError", "ConnectionResetError", "BrokenPipeError"),
    *("RemoteDisconnected", "IncompleteRead", "TimeoutError"),
)

BEFORE_SECONDS, AFTER_SECONDS = 1.0, 2.0
MEMORY_SHARE = 1.25
SETTLE_SECONDS = 20
# The event loop's own executor begins its threads one by one, as they are first wanted: so many at most
# on two cores (https://docs.python.org/3/library/concurrent.futures.html, ThreadPoolExecutor).
EXECUTOR_THREADS = 6
# Clients at once: twice as many as there are connections.
CROWD = 40


@dataclass(frozen=True)
class Footprint:
    """What the process holds. Connections are those of the pool."""

    memory: float
    files: float
    threads: float
    connections: float

    @classmethod
    def of(cls, backend: BackendContainer) -> Footprint:
        return cls(
            backend.metric("process_resident_memory_bytes"),
            backend.metric("process_open_fds"),
            backend.threads(),
            backend.metric("medianest_database_connections"),
        )

    def grown_from(self, before: Footprint) -> list[str]:
        """In what this is more than a little above `before`. A pool may keep what it opened a while."""
        pool = max(0.0, self.connections - before.connections)
        found = {
            "memory": self.memory > before.memory * MEMORY_SHARE,
            "files": self.files > before.files + pool + 8,
            "threads": self.threads > before.threads + EXECUTOR_THREADS + 2,
            "connections": self.connections > 20,
        }
        return [name for name, grown in found.items() if grown]


@contextmanager
def under_load(backend: BackendContainer, *allowed: str, cancelling: bool = False) -> Iterator[Load]:
    """Load before, while and after the block; then wait for health and compare all there is to compare."""
    backend.wait_until_healthy()
    account = log_in(backend.url, **backend.credentials)
    login = json.dumps(backend.credentials)
    with account.loading("before", faulty(login, cancelling=False)):
        time.sleep(BEFORE_SECONDS)
    before = Footprint.of(backend)
    with account.loading("meanwhile", faulty(login, cancelling)) as load:
        time.sleep(BEFORE_SECONDS)
        yield load
        backend.wait_until_healthy(45)
        time.sleep(AFTER_SECONDS)
    slowest = max(load.slowest.values(), default=0)
    measured(f"{load.failed} of {load.sent} requests failed, the slowest took {slowest:.1f} s")
    account.assert_nothing_is_lost()
    assert load.unexpected(allowed) == {}
    assert all(one.failed < one.sent for one in load.kinds.values() if one.sent)
    deadline = time.monotonic() + SETTLE_SECONDS
    while (grown := (now := Footprint.of(backend)).grown_from(before)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not grown, (before, now)


def killed(container: Container, ready: list[str]) -> None:
    container.kill("SIGKILL")
    container.wait()
    time.sleep(2)
    container.start()
    wait_until(container, ready)


def paused(container: Container, _ready: list[str]) -> None:
    container.pause()
    time.sleep(4)
    container.unpause()


def restarted(container: Container, ready: list[str]) -> None:
    container.restart(timeout=10)
    wait_until(container, ready)


Fault = Callable[[Container, list[str]], None]
FAULTS: list[Fault] = [killed, paused, restarted]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.fault(
    "Redis killed, paused, restarted", "no request fails; cached reads stay fast; nothing leaks"
)
def test_redis(
    running: BackendContainer, beside: Services, fault: Callable[[Container, list[str]], None]
) -> None:
    with under_load(running, *UNTOUCHED) as load:
        fault(beside.redis, ["sh", "-c", "redis-cli ping | grep -q PONG"])
    # A cached read must not wait for a cache that is not there.
    assert load.slowest["read"] < 2


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.fault(
    "Postgres killed, paused, restarted",
    "503 with `Retry-After` at worst; no acknowledged write is lost; nothing leaks",
)
def test_postgres(running: BackendContainer, beside: Services, fault: Fault) -> None:
    with under_load(running, *TOLD) as load:
        fault(beside.postgres, ["pg_isready", "-q", "-h", "127.0.0.1"])
    assert max(load.slowest.values()) < 10


@pytest.mark.fault("Redis is full", "no request fails")
def test_redis_at_its_memory_limit(running: BackendContainer, beside: Services) -> None:
    def configure(*settings: str) -> None:
        assert output_of(beside.redis, "redis-cli", "config", "set", *settings) == "OK"

    try:
        with under_load(running, *UNTOUCHED):
            configure("maxmemory", "1mb", "maxmemory-policy", "noeviction")
            time.sleep(3)
    finally:
        configure("maxmemory", "0", "maxmemory-policy", "allkeys-lru")


@pytest.mark.fault(
    "every connection to Postgres is taken", "503 with `Retry-After`, and all is well when they are free"
)
def test_a_pool_that_is_exhausted(running: BackendContainer, beside: Services) -> None:
    headers = {"Authorization": f"Bearer {running.token()}"}
    exhausted = partial(running.metric, "medianest_database_failures_total", reason="exhausted")

    def ask(_: int) -> tuple[int, bool]:
        # The answer itself would hold its connection open.
        answer = requests.get(f"{running.url}/api/media", headers=headers, timeout=30)
        return answer.status_code, "Retry-After" in answer.headers

    with under_load(running, *TOLD) as load, ThreadPoolExecutor(CROWD) as crowd:
        before = exhausted()
        # Nobody can read the users or the media for a while: every connection is soon taken.
        # Taken at once or not at all: one who waits for a lock with another in hand may be in a deadlock.
        statement = "BEGIN; LOCK TABLE users, media, pictures NOWAIT; SELECT pg_sleep(6); COMMIT"
        until_locked = f"until psql -U app -d app -qc '{statement}' 2>/dev/null; do :; done"
        locking = crowd.submit(beside.postgres.exec_run, ["timeout", "40", "sh", "-c", until_locked])
        locked = "SELECT 1 / count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
        wait_until(beside.postgres, ["psql", "-U", "app", "-d", "app", "-qc", locked])
        answers = set(crowd.map(ask, range(CROWD * 2)))
        assert locking.result().exit_code == 0
    assert exhausted() > before
    assert answers == {(200, False), (503, True)}
    assert max(load.slowest.values()) < 10


@pytest.mark.fault("each worker process killed in turn", "no request fails, no job is lost")
def test_every_worker_killed_one_after_the_other(running: BackendContainer) -> None:
    with under_load(running, *UNTOUCHED):
        for pid in running.worker_pids():
            os.kill(pid, signal.SIGKILL)
            time.sleep(0.5)


@pytest.mark.fault("all worker processes killed at once, three times", "no request fails, no job is lost")
def test_all_workers_killed_at_once(running: BackendContainer) -> None:
    with under_load(running, *UNTOUCHED):
        for _ in range(3):
            for pid in running.worker_pids():
                os.kill(pid, signal.SIGKILL)
            time.sleep(1)


@pytest.mark.fault("clients that go away in the middle", "other requests do not fail; nothing leaks")
def test_requests_cancelled_at_random(running: BackendContainer) -> None:
    with under_load(running, *UNTOUCHED, cancelling=True):
        time.sleep(6)


@pytest.mark.fault("the backend killed under load", "no acknowledged write and no accepted picture is lost")
def test_the_backend_killed(running: BackendContainer) -> None:
    with under_load(running, *CUT):
        running.container.kill("SIGKILL")
        running.container.wait()
        time.sleep(1)
        running.container.start()


@pytest.mark.fault("the backend asked to stop under load", "it ends with exit code 0, and nothing is lost")
def test_asked_to_stop_under_load_it_ends_cleanly(running: BackendContainer) -> None:
    with under_load(running, *CUT):
        running.container.kill("SIGTERM")
        assert running.container.wait(timeout=10)["StatusCode"] == 0
        running.container.start()
