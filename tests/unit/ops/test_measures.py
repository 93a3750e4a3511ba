"""Figures of a stack, out of the engine's documents."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from components import labels
from ops.measures import memory_bytes, parse_time, start_to_healthy
from ops.names import short_name
from ops.status import ContainerStatus, describe


@pytest.mark.parametrize(
    ("stats", "bytes_held"),
    [
        ({"memory_stats": {"usage": 100, "stats": {"total_inactive_file": 30}}}, 70),
        ({"memory_stats": {"usage": 100, "stats": {"inactive_file": 40}}}, 60),
        ({"memory_stats": {"usage": 100, "stats": {"total_inactive_file": 30, "inactive_file": 5}}}, 70),
        ({"memory_stats": {"usage": 10, "stats": {"inactive_file": 40}}}, 0),
        ({"memory_stats": {}}, 0),
    ],
)
def test_memory_is_usage_less_inactive_file_pages(stats: dict[str, Any], bytes_held: int) -> None:
    assert memory_bytes(stats) == bytes_held


def result(second: int, code: int) -> dict[str, Any]:
    return {"End": f"2026-11-23T22:00:{second:02}.500000000+00:00", "ExitCode": code}


@pytest.mark.parametrize(
    ("results", "seconds"),
    [
        ([result(2, 1), result(4, 0)], 4.5),
        ([result(2, 0)], 2.5),
        ([result(2, 1)], None),
        ([], None),
        # Five are kept: a success in the first may not have been the first.
        ([result(n, 0) for n in range(10, 15)], None),
        ([result(10, 1), *(result(n, 0) for n in range(11, 15))], 11.5),
    ],
)
def test_the_time_to_healthy_ends_with_the_first_success(
    results: list[dict[str, Any]], seconds: float | None
) -> None:
    inspected = {"State": {"StartedAt": "2026-11-23T22:00:00.000000000Z", "Health": {"Log": results}}}
    assert start_to_healthy(inspected) == seconds


def test_a_container_without_a_health_check_has_no_time_to_healthy() -> None:
    assert start_to_healthy({"State": {"StartedAt": "2026-11-23T22:00:00Z"}}) is None


def test_the_engines_zero_time_means_never() -> None:
    assert parse_time("0001-01-01T00:00:00Z") is None
    assert parse_time("2026-11-23T22:36:41.254061962Z") == datetime(2026, 11, 23, 22, 36, 41, 254061, UTC)


@pytest.mark.parametrize(
    ("container", "name"),
    [
        ("medianest-staging-backend-0-3fa2c1", "backend-0"),
        ("medianest-staging-gateway-000000", "gateway"),
        ("medianest-staging-2-gateway-000000", "2-gateway"),
        ("something-else", "something-else"),
        ("medianest-other-gateway-000000", "medianest-other-gateway-000000"),
    ],
)
def test_a_short_name_is_that_of_the_resource(container: str, name: str) -> None:
    assert short_name(container, "medianest", "staging") == name


INSPECTED = {
    "Name": "/s-backend-0",
    "State": {"Status": "running", "StartedAt": "2026-11-23T22:00:00Z", "Health": {"Status": "healthy"}},
    "Config": {"Labels": {labels.COMPONENT: "backend", labels.RELEASE: "abc"}},
    "HostConfig": {"Memory": 512},
    "RestartCount": 2,
}


def test_a_container_is_described_from_the_engines_document() -> None:
    now = datetime(2026, 11, 23, 22, 1, 30, tzinfo=UTC)
    status = describe(INSPECTED, 71, "sha256:0123456789abcdef", now)
    assert status == ContainerStatus(
        component="backend",
        container="s-backend-0",
        state="running",
        health="healthy",
        uptime_seconds=90.0,
        restarts=2,
        memory_bytes=71,
        memory_limit_bytes=512,
        release="abc",
        image="0123456789ab",
    )
    assert status.is_well


@pytest.mark.parametrize(
    ("state", "health", "well"),
    [
        ("running", "healthy", True),
        ("running", "starting", False),
        ("exited", "healthy", False),
        ("missing", "", False),
    ],
)
def test_a_container_is_well_when_it_runs_and_is_healthy(state: str, health: str, well: bool) -> None:
    assert ContainerStatus("c", "n", state, health).is_well is well
