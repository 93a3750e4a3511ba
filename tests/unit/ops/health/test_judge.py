"""The five checks: at the borders of their thresholds, and where figures are missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from components.monitoring.rules.backend import MEGABYTE
from components.settings import StackSettings
from ops.checks import Check, Level, all_hold
from ops.health import judge
from ops.health.facts import Build, HealthFacts, Replica, TokenAnswer, Workers

STACK = "staging"
WELL = Replica(
    "backend-0",
    "running",
    "healthy",
    uptime_seconds=60.0,
    start_seconds=2.1,
    memory_bytes=84_000_000,
    services={"secrets": "validated", "redis": "healthy"},
    status="healthy",
    workers=Workers(2, 2, 0),
)
ALL_WELL = HealthFacts(
    replicas=[WELL],
    build=Build(44.0, "on record"),
    pong="PONG",
    token=TokenAnswer(200, 12.0),
    worker_failures=0.0,
    total_bytes=300_000_000,
)


def settings(**objects: Any) -> StackSettings:
    return StackSettings.model_validate(objects)


def checked(name: str, facts: HealthFacts, own: StackSettings | None = None) -> Check:
    found = {check.name: check for check in judge.judge(STACK, facts, own or settings())}
    return found[name]


def test_a_stack_that_is_well() -> None:
    found = judge.judge(STACK, ALL_WELL, settings())
    assert [check.name for check in found] == [
        "start-up and secrets",
        "image build",
        "Redis and tokens",
        "memory",
        "workers",
    ]
    assert {check.level for check in found} == {Level.OK}
    assert all_hold(found)
    assert not any(check.evidence or check.next_step for check in found)
    assert found[0].figure == "1 of 1 serve, secrets validated, healthy after 2.1 s"


def test_nothing_of_a_stack_is_there() -> None:
    found = judge.judge(STACK, HealthFacts(), settings())
    levels = {check.name: check.level for check in found}
    assert levels == {
        "start-up and secrets": Level.CRITICAL,
        "image build": Level.UNKNOWN,
        "Redis and tokens": Level.CRITICAL,
        "memory": Level.UNKNOWN,
        "workers": Level.UNKNOWN,
    }
    assert not all_hold(found)
    assert all(check.evidence and check.next_step for check in found)


def test_a_stopped_stack_is_to_be_started() -> None:
    stopped = Replica("backend-0", "exited", "unhealthy", unanswered="it does not run", log=("bye",))
    check = checked("start-up and secrets", replace(ALL_WELL, replicas=[stopped]))
    assert check.level is Level.CRITICAL
    assert check.evidence[0] == "backend-0 is exited"
    assert check.evidence[-1] == "  bye"
    assert check.next_step == "./medianest up staging"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"health": "unhealthy"}, "backend-0 is unhealthy"),
        ({"state": "paused"}, "backend-0 is paused"),
        ({"health": "starting"}, "backend-0 is starting"),
        ({"services": {"secrets": "waiting"}}, "backend-0 says that its secrets are waiting"),
        (
            {"services": None, "unanswered": "no answer within 5 s"},
            "backend-0 does not tell of its health: no answer within 5 s",
        ),
        ({"start_seconds": 60.01}, "backend-0 was healthy after 1 min 0 s only"),
    ],
)
def test_what_is_wrong_with_a_start(change: dict[str, Any], said: str) -> None:
    check = checked("start-up and secrets", replace(ALL_WELL, replicas=[replace(WELL, **change)]))
    assert (check.level, check.evidence[0]) == (Level.CRITICAL, said)


def test_a_start_that_takes_as_long_as_it_may() -> None:
    slow = replace(WELL, start_seconds=60.0)
    assert checked("start-up and secrets", replace(ALL_WELL, replicas=[slow])).level is Level.OK
    # What the engine forgot is no fault.
    forgotten = replace(WELL, start_seconds=None)
    check = checked("start-up and secrets", replace(ALL_WELL, replicas=[forgotten]))
    assert (check.level, check.value) == (Level.OK, None)


def test_every_declared_replica_must_be_there() -> None:
    check = checked("start-up and secrets", ALL_WELL, settings(backend={"replicas": 2}))
    assert (check.level, check.evidence) == (Level.CRITICAL, ["1 of 2 replicas are not there"])


def test_a_backend_that_tells_of_no_services_is_not_blamed_for_that() -> None:
    mute = replace(WELL, services={})
    check = checked("start-up and secrets", replace(ALL_WELL, replicas=[mute]))
    assert (check.level, check.figure) == (Level.OK, "1 of 1 serve, healthy after 2.1 s")


@pytest.mark.parametrize(
    ("took", "level"),
    [(0.5, Level.OK), (180.0, Level.OK), (180.01, Level.CRITICAL), (None, Level.UNKNOWN)],
)
def test_the_build_has_a_limit(took: float | None, level: Level) -> None:
    check = checked("image build", replace(ALL_WELL, build=Build(took, "on record")))
    assert (check.level, check.threshold) == (level, "at most 180 s")
    assert level is Level.OK or check.next_step


def test_the_limit_of_the_build_is_a_setting() -> None:
    own = settings(verification={"build_seconds": 43.0})
    check = checked("image build", ALL_WELL, own)
    assert (check.level, check.evidence) == (Level.CRITICAL, ["the build took 1.0 s longer than it may"])


@pytest.mark.parametrize(
    ("pong", "token", "said"),
    [
        ("it does not run", TokenAnswer(200, 1.0), "Redis does not answer PING with PONG: it does not run"),
        ("", TokenAnswer(200, 1.0), "Redis does not answer PING with PONG: it says nothing"),
        ("PONG", TokenAnswer(0, said="ConnectTimeout"), "/api/auth/test-jwt does not answer: ConnectTimeout"),
        ("PONG", TokenAnswer(503, 1.0, "No backend"), "/api/auth/test-jwt answered 503: No backend"),
        ("PONG", TokenAnswer(500, 1.0), "/api/auth/test-jwt answered 500"),
        ("PONG", None, "/api/auth/test-jwt does not answer: it was not asked"),
    ],
)
def test_redis_and_tokens_must_both_answer(pong: str, token: TokenAnswer | None, said: str) -> None:
    check = checked("Redis and tokens", replace(ALL_WELL, pong=pong, token=token))
    assert (check.level, list(check.evidence)) == (Level.CRITICAL, [said])


def test_a_backend_without_tokens_says_so_in_its_settings() -> None:
    missing = checked("Redis and tokens", replace(ALL_WELL, token=TokenAnswer(404, 1.0)))
    assert "set verification.token_check to null" in missing.next_step
    own = settings(verification={"token_check": None})
    assert checked("Redis and tokens", replace(ALL_WELL, token=None), own).level is Level.OK


# 75 % and 90 % of a limit of 512 MB come before the levels of the settings.
@pytest.mark.parametrize(
    ("held", "level"),
    [(384, Level.OK), (384.001, Level.WARN), (460.8, Level.WARN), (461, Level.CRITICAL)],
)
def test_memory_at_its_levels(held: float, level: Level) -> None:
    fuller = replace(WELL, name="backend-1", memory_bytes=int(held * MEGABYTE))
    check = checked("memory", replace(ALL_WELL, replicas=[WELL, fuller]))
    assert check.level is level
    assert [line.split()[0] for line in check.evidence] == ([] if level is Level.OK else ["backend-1"])
    assert check.holds is (level is not Level.CRITICAL)


@pytest.mark.parametrize(
    ("failed", "level"),
    [(0, Level.OK), (10, Level.OK), (10.5, Level.WARN), (50, Level.WARN), (50.5, Level.CRITICAL)],
)
def test_failures_of_workers_at_their_levels(failed: float, level: Level) -> None:
    assert checked("workers", replace(ALL_WELL, worker_failures=failed)).level is level


@pytest.mark.parametrize(
    ("healthy", "level"),
    [(4, Level.OK), (3, Level.WARN), (2, Level.WARN), (1, Level.CRITICAL), (0, Level.CRITICAL)],
)
def test_fewer_workers_than_wanted(healthy: int, level: Level) -> None:
    short = replace(WELL, workers=Workers(4, healthy, 0))
    assert checked("workers", replace(ALL_WELL, replicas=[short])).level is level


@pytest.mark.parametrize(
    ("uptime", "level"), [(60.0, Level.CRITICAL), (4 * 3600.0, Level.WARN), (10 * 3600.0, Level.OK)]
)
def test_without_prometheus_failures_are_spread_over_the_uptime(uptime: float, level: Level) -> None:
    failing = replace(WELL, uptime_seconds=uptime, workers=Workers(2, 2, 60))
    assert checked("workers", replace(ALL_WELL, replicas=[failing], worker_failures=None)).level is level


def test_a_replica_without_figures_is_not_taken_for_well() -> None:
    mute = replace(WELL, name="backend-1", workers=None)
    check = checked("workers", replace(ALL_WELL, replicas=[WELL, mute]))
    assert (check.level, check.evidence) == (
        Level.UNKNOWN,
        ["backend-1 shows no figures of its workers"],
    )
    # What is known to be bad counts for more than what is not known.
    worse = replace(ALL_WELL, replicas=[WELL, mute], worker_failures=51.0)
    assert checked("workers", worse).level is Level.CRITICAL


def test_a_backend_that_shows_no_figures_by_its_settings() -> None:
    own = settings(monitoring={"backend_metrics": None})
    mute = replace(WELL, workers=None)
    assert checked("workers", replace(ALL_WELL, replicas=[mute]), own).level is Level.OK
