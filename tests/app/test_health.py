import asyncio
import contextlib
from typing import Any

import pytest
from conftest import Running, build, client_of
from medianest.health import Check, Status, judge
from medianest.lifecycle import Phase
from medianest.secrets_validator import ValidationState

VALIDATED = ValidationState.VALIDATED


@pytest.mark.parametrize(
    ("phase", "secrets", "postgres", "redis", "status", "code"),
    [
        (Phase.SERVING, VALIDATED, True, True, Status.HEALTHY, 200),
        (Phase.SERVING, VALIDATED, True, False, Status.DEGRADED, 200),
        (Phase.SERVING, VALIDATED, False, True, Status.UNHEALTHY, 503),
        (Phase.SERVING, VALIDATED, False, False, Status.UNHEALTHY, 503),
        (Phase.SERVING, ValidationState.PENDING, True, True, Status.UNHEALTHY, 503),
        (Phase.SERVING, ValidationState.FAILED, True, True, Status.UNHEALTHY, 503),
        (Phase.STARTING, VALIDATED, True, True, Status.STARTING, 503),
        (Phase.DRAINING, VALIDATED, True, True, Status.DRAINING, 503),
    ],
)
def test_the_whole_follows_from_the_parts(
    phase: Phase, secrets: ValidationState, postgres: bool, redis: bool, status: Status, code: int
) -> None:
    report = judge(phase, secrets, postgres=postgres, redis=redis)
    assert (report.status, report.code) == (status, code)
    assert report.services == {
        "secrets": secrets,
        "postgres": "healthy" if postgres else "unhealthy",
        "redis": "healthy" if redis else "unhealthy",
    }


class Service:
    """Answers, fails or hangs, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.takes = 0.0

    async def __call__(self) -> None:
        self.asked += 1
        await asyncio.sleep(self.takes)
        if self.error is not None:
            raise self.error


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_many_who_want_to_know_make_one_probe() -> None:
    service, clock = Service(), Clock()
    service.takes = 0.01
    check = Check("postgres", service, lifetime=1, clock=clock)
    assert await asyncio.gather(*(check.healthy() for _ in range(20))) == [True] * 20
    assert service.asked == 1
    clock.now += 0.9
    assert await check.healthy()
    assert service.asked == 1
    clock.now += 0.2
    assert await check.healthy()
    assert service.asked == 2


async def test_a_failed_and_a_late_probe_count_as_no_and_are_logged_once(
    logged: list[dict[str, Any]],
) -> None:
    service, clock = Service(), Clock()
    check = Check("postgres", service, timeout=0.02, lifetime=1, clock=clock)
    assert await check.healthy()
    service.error = ConnectionError()
    clock.now += 1
    assert not await check.healthy()
    service.error, service.takes = None, 5
    clock.now += 1
    assert not await check.healthy()
    service.takes = 0
    await asyncio.sleep(0.01)
    clock.now += 1
    assert await check.healthy()
    assert [(event["event"], event["service"]) for event in logged] == [
        ("Service does not answer", "postgres"),
        ("Service answers again", "postgres"),
    ]


async def test_a_probe_that_cannot_be_interrupted_is_not_asked_again_meanwhile() -> None:
    clock, gone = Clock(), asyncio.Event()
    asked = 0

    async def stubborn() -> None:
        nonlocal asked
        asked += 1
        while not gone.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await gone.wait()

    check = Check("postgres", stubborn, timeout=0.02, lifetime=1, clock=clock)
    for _ in range(3):
        assert not await check.healthy()
        clock.now += 1
    assert asked == 1
    gone.set()
    await asyncio.sleep(0.01)
    assert await check.healthy()
    assert asked == 2


async def test_a_healthy_backend_says_so_in_one_word_for_each_service(running: Running) -> None:
    answer = await running.client.get("/api/health")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {
        "status": "healthy",
        "services": {"secrets": "validated", "postgres": "healthy", "redis": "healthy"},
        "release": "r1",
    }
    assert (await running.client.get("/api/health/ready")).json() == {"status": "ready"}
    assert (await running.client.get("/api/health/live")).json() == {"status": "alive"}


async def test_without_redis_it_is_degraded_and_still_serves(running: Running) -> None:
    await running.redis.cut()
    answer = await running.client.get("/api/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["services"] == {"secrets": "validated", "postgres": "healthy", "redis": "unhealthy"}
    assert (await running.client.get("/api/health/ready")).status_code == 200


async def test_without_postgres_it_is_unhealthy_and_not_ready_but_alive(running: Running) -> None:
    await running.postgres.cut()
    answer = await running.client.get("/api/health")
    assert answer.status_code == 503
    assert answer.json()["services"] == {"secrets": "validated", "postgres": "unhealthy", "redis": "healthy"}
    ready = await running.client.get("/api/health/ready")
    assert (ready.status_code, ready.json()) == (503, {"status": "unavailable"})
    assert (await running.client.get("/api/health/live")).status_code == 200


async def test_a_postgres_that_hangs_is_found_out_within_a_second_or_so(running: Running) -> None:
    running.postgres.stall()
    async with asyncio.timeout(2):
        assert (await running.client.get("/api/health")).status_code == 503
    running.postgres.flow()


async def test_a_draining_backend_is_not_ready_and_closes_connections(running: Running) -> None:
    assert "connection" not in (await running.client.get("/api/health/ready")).headers
    running.backend.lifecycle.drain()
    ready = await running.client.get("/api/health/ready")
    assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
    report = await running.client.get("/api/health")
    assert (report.status_code, report.json()["status"]) == (503, "draining")
    live = await running.client.get("/api/health/live")
    assert (live.status_code, live.headers["Connection"]) == (200, "close")


async def test_a_backend_that_has_not_started_is_alive_only(environment: dict[str, str]) -> None:
    async with client_of(await build(environment)) as client:
        assert (await client.get("/api/health/live")).status_code == 200
        ready = await client.get("/api/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"status": "starting"})
        report = await client.get("/api/health")
        assert (report.status_code, report.json()["status"]) == (503, "starting")
