"""The guardian's reports, read and told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from components.guardian import MEMORY
from guardian.reports.history import History
from guardian.reports.schedule import Report
from ops.errors import OperationError
from ops.report.command import MOMENTS
from ops.report.kept import DIRECTORY, Kind, guardian_of, parse
from ops.report.tables import SHOWN, many, one, spells

NOW = 1_795_549_000.0
HEALTHY: dict[str, Any] = {"healthy": True, "problems": []}
ILL: dict[str, Any] = {
    "healthy": False,
    "problems": ["redis is exited, healthy", "backend-0: redis is unhealthy"],
}
MEMORY_ROW = {
    "container": "backend-0",
    "component": "backend",
    "bytes": 90_000_000,
    "limit_bytes": 180_000_000,
    "percent": 50.0,
    "restarts": 2,
}
WORKERS: dict[str, Any] = {
    "failed": 3,
    "replicas": {
        "backend-0": {
            "medianest_workers": {"wanted": 2, "healthy": 1, "busy": 0},
            "medianest_workers_terminated_total": {"crashed": 3, "stopped": 0},
            "medianest_worker_tasks_total": {"completed": 7, "failed": 1},
        }
    },
}


def told(table: Any) -> str:
    console = Console(width=150)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_what_the_guardian_writes_is_what_is_read(tmp_path: Path) -> None:
    history = History(tmp_path, days=30)
    made = [history.add("health", NOW + minute * 60, HEALTHY) for minute in range(5)]
    content = (tmp_path / "health.jsonl").read_bytes()
    assert list(parse(content.splitlines(), 0.0)) == made
    assert list(parse(content.splitlines(), NOW + 180)) == made[3:]


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'"x"', b'{"report": "health"}', b'{"at": "then"}', b"\xff"]
)
def test_a_line_that_is_no_report_is_passed_over(line: bytes) -> None:
    good = {"at": NOW, **HEALTHY}
    assert list(parse([line, json.dumps(good).encode()], 0.0)) == [good]


def test_the_kinds_are_those_of_the_guardian() -> None:
    assert [kind.value for kind in Kind] == [report.value for report in Report]
    assert set(MOMENTS) == set(Kind)
    assert f"{MEMORY}/reports" == DIRECTORY


def test_a_stack_that_nobody_watches_has_no_reports() -> None:
    with pytest.raises(OperationError, match="stack quiet is not watched") as caught:
        guardian_of({"containers": {"backend": ["b"]}}, "quiet")
    assert "./medianest health quiet" in caught.value.hint
    assert guardian_of({"containers": {"guardian": ["g"]}}, "s") == "g"


def test_reports_that_say_the_same_are_one_spell() -> None:
    course = [HEALTHY, HEALTHY, ILL, HEALTHY]
    found = spells([{"at": NOW + 60 * minute, **report} for minute, report in enumerate(course)])
    assert [(spell.reports, spell.healthy) for spell in found] == [(2, True), (1, False), (1, True)]
    assert (found[0].first, found[0].last) == (NOW, NOW + 60)
    assert found[1].said == "redis is exited, healthy; backend-0: redis is unhealthy"
    assert spells([]) == []


def test_memory_for_people() -> None:
    report = {"at": NOW, "total_bytes": 90_000_000, "containers": [MEMORY_ROW]}
    assert "50 % of 180 MB" in told(one(Kind.MEMORY, report))
    shown = told(many(Kind.MEMORY, [report] * (SHOWN + 5)))
    assert shown.count("backend-0, 50 %") == SHOWN


def test_a_report_before_anything_was_measured() -> None:
    empty: Mapping[str, Any] = {"at": NOW, "total_bytes": 0, "containers": []}
    assert "0 MB" in told(many(Kind.MEMORY, [empty]))
    assert "0 of 0" in told(many(Kind.WORKERS, [{"at": NOW, "failed": 0, "replicas": {}}]))


def test_health_for_people() -> None:
    container = {"container": "backend-0", "component": "backend", "state": "running", "health": "healthy"}
    document = {"services": {"secrets": "validated", "redis": "unhealthy"}}
    report = {"at": NOW, **ILL, "containers": [container], "backends": {"backend-0": document}}
    assert "secrets validated, redis unhealthy" in told(one(Kind.HEALTH, report))
    mute = {**report, "backends": {"backend-0": "/api/health: TimeoutError"}}
    assert "/api/health: TimeoutError" in told(one(Kind.HEALTH, mute))
    assert "redis is exited" in told(many(Kind.HEALTH, [report]))


def test_workers_for_people() -> None:
    report = {"at": NOW, **WORKERS}
    shown = told(one(Kind.WORKERS, report))
    assert "1 of 2" in shown
    assert "3 crashed" in shown
    assert "7 completed, 1 failed" in shown
    assert "1 of 2" in told(many(Kind.WORKERS, [report]))
