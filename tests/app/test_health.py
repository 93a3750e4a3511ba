import asyncio

import pytest
from conftest import Running, build, client_of
from medianest.health import Status, judge
from medianest.health_checks import Check, Finding, Service, StateCheck, Word
from medianest.lifecycle import Phase
from medianest.secrets_validator import ValidationState
from problem_shape import assert_problem

VALIDATED = ValidationState.VALIDATED
GOOD, SLOW, DEAD = Word.HEALTHY, Word.DEGRADED, Word.UNHEALTHY
SERVICES = ("postgres", "redis", "tokens", "workers")
ALL_WELL = {"secrets": "validated"} | dict.fromkeys(SERVICES, "healthy")


@pytest.mark.parametrize(
    ("phase", "secrets", "vital", "other", "status", "code"),
    [
        (Phase.SERVING, VALIDATED, GOOD, GOOD, Status.HEALTHY, 200),
        (Phase.SERVING, VALIDATED, GOOD, SLOW, Status.DEGRADED, 200),
        (Phase.SERVING, VALIDATED, GOOD, DEAD, Status.DEGRADED, 200),
        (Phase.SERVING, VALIDATED, SLOW, GOOD, Status.DEGRADED, 200),
        (Phase.SERVING, VALIDATED, DEAD, GOOD, Status.UNHEALTHY, 503),
        (Phase.SERVING, VALIDATED, DEAD, DEAD, Status.UNHEALTHY, 503),
        (Phase.SERVING, ValidationState.PENDING, GOOD, GOOD, Status.UNHEALTHY, 503),
        (Phase.SERVING, ValidationState.FAILED, GOOD, GOOD, Status.UNHEALTHY, 503),
        (Phase.STARTING, VALIDATED, GOOD, GOOD, Status.STARTING, 503),
        (Phase.DRAINING, VALIDATED, GOOD, GOOD, Status.DRAINING, 503),
    ],
)
def test_the_whole_follows_from_the_parts(
    phase: Phase, secrets: ValidationState, vital: Word, other: Word, status: Status, code: int
) -> None:
    findings = [
        (Service("postgres", StateCheck(lambda: vital), vital=True), Finding(vital)),
        (Service("redis", StateCheck(lambda: other), vital=False), Finding(other)),
    ]
    report = judge(phase, secrets, findings)
    assert (report.status, report.code) == (status, code)
    assert report.services == {"secrets": secrets, "postgres": vital, "redis": other}


async def test_a_healthy_backend_says_so_in_one_word_for_each_service(running: Running) -> None:
    answer = await running.client.get("/api/health")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {"status": "healthy", "services": ALL_WELL}
    assert (await running.client.get("/api/health/ready")).json() == {"status": "ready"}
    assert (await running.client.get("/api/health/live")).json() == {"status": "alive"}


async def test_without_redis_it_is_degraded_and_still_serves(running: Running) -> None:
    await running.redis.cut()
    answer = await running.client.get("/api/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["services"] == ALL_WELL | {"redis": "unhealthy"}
    assert (await running.client.get("/api/health/ready")).status_code == 200


async def test_without_postgres_it_is_unhealthy_and_not_ready_but_alive(running: Running) -> None:
    await running.postgres.cut()
    answer = await running.client.get("/api/health")
    assert answer.status_code == 503
    assert answer.json()["services"] == ALL_WELL | {"postgres": "unhealthy"}
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


async def test_the_bearer_of_a_token_is_told_details(running: Running) -> None:
    headers = await running.authorization()
    await running.redis.cut()
    document = (await running.client.get("/api/health", headers=headers)).json()
    details = document.pop("details")
    assert document == {"status": "degraded", "services": ALL_WELL | {"redis": "unhealthy"}}
    assert (details["release"], details["stack"]) == ("r1", "tests")
    assert details["uptime_seconds"] >= 0
    assert 10_000_000 < details["memory_bytes"] < 1_000_000_000
    assert tuple(details["services"]) == SERVICES
    assert details["services"]["postgres"]["latency_ms"] > 0
    assert details["services"]["postgres"]["error"] is None
    assert details["services"]["redis"]["error"] == "CacheUnavailableError"
    assert details["services"]["workers"]["figures"]["workers_terminated"]["crashed"] == 0


async def test_a_token_that_is_refused_is_not_taken_for_a_stranger(running: Running) -> None:
    answer = await running.client.get("/api/health", headers={"Authorization": "Bearer forged"})
    assert_problem(answer, 401, "Invalid token")


async def test_adding_a_service_is_one_line(running: Running) -> None:
    state, asked = "degraded", 0

    async def probe() -> None:
        nonlocal asked
        asked += 1

    running.backend.health.services += [
        Service("one", StateCheck(lambda: state), vital=True, figures=lambda: {"busy": 1}),
        Service("another", Check("another", probe), vital=False),
    ]
    answer = await running.client.get("/api/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["services"] == ALL_WELL | {"one": "degraded", "another": "healthy"}
    assert (await running.client.get("/api/health/ready")).status_code == 200
    detailed = await running.client.get("/api/health", headers=await running.authorization())
    assert detailed.json()["details"]["services"]["one"]["figures"] == {"busy": 1}
    state = "unhealthy"
    assert (await running.client.get("/api/health")).status_code == 503
    assert (await running.client.get("/api/health/ready")).status_code == 503
    assert asked == 1


async def test_services_are_asked_at_once_and_live_asks_none(running: Running) -> None:
    asked, both = 0, asyncio.Event()

    async def probe() -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            both.set()
        await both.wait()

    running.backend.health.services = [
        Service(name, Check(name, probe, timeout=5), vital=True) for name in ("one", "two")
    ]
    assert (await running.client.get("/api/health/live")).status_code == 200
    assert asked == 0
    assert (await running.client.get("/api/health")).status_code == 200
