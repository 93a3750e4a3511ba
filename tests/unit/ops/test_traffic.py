from __future__ import annotations

import json

import pytest

from ops.traffic import Traffic, traffic_of


def line(status: int = 200, total_ms: int = 5, path: str = "/api/users/me") -> str:
    return json.dumps({"status": status, "total_ms": total_ms, "path": path})


def test_requests_errors_and_the_slowest_are_counted() -> None:
    lines = [line(total_ms=number) for number in range(1, 100)] + [line(503, 100)]
    assert traffic_of(lines) == Traffic(requests=100, errors=1, p95_ms=95)


def test_the_fault_of_a_client_is_no_error() -> None:
    assert traffic_of([line(404), line(429)]).errors == 0


def test_probes_are_no_traffic() -> None:
    lines = [line(path="/api/health/live"), line(500)]
    assert traffic_of(lines, {"/api/health/live"}) == Traffic(requests=1, errors=1, p95_ms=5)


@pytest.mark.parametrize("other", ["", "[NOTICE] haproxy started", "{}", "[1]", '{"status": "x"}', "null"])
def test_other_lines_are_passed_over(other: str) -> None:
    assert traffic_of([other]) == Traffic()


def test_a_request_that_ended_before_its_status_counts_as_the_clients() -> None:
    assert traffic_of([line(status=-1)]) == Traffic(requests=1, errors=0, p95_ms=5)
