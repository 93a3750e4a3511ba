"""When reports are made, what they say, and how long they are kept."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from guardian.container_figures import Figures
from guardian.reports import contents
from guardian.reports.history import History
from guardian.reports.schedule import Report, due, next_in, periods
from tests.unit.guardian.stacks import EXITED, NOW, SETTINGS, UNHEALTHY, view

EVERY = periods(SETTINGS)
ALL = [Report.MEMORY, Report.HEALTH, Report.WORKERS]


def test_a_day_has_so_many_reports() -> None:
    made: dict[str, float] = {}
    counts = dict.fromkeys(Report, 0)
    for second in range(0, 86_400, 10):
        for report in due(EVERY, made, NOW + second):
            made[report] = NOW + second
            counts[report] += 1
    assert counts == {Report.MEMORY: 288, Report.HEALTH: 1440, Report.WORKERS: 1}


def test_what_was_missed_is_made_once() -> None:
    made: dict[str, float] = dict.fromkeys(Report, NOW - 1_000_000.0)
    assert due(EVERY, made, NOW) == ALL
    made = dict.fromkeys(Report, NOW)
    assert due(EVERY, made, NOW) == []


@pytest.mark.parametrize(("ago", "seconds"), [(0, 60), (20, 40), (60, 0), (500, 0)])
def test_how_long_to_wait_for_the_next(ago: float, seconds: float) -> None:
    assert next_in(EVERY, dict.fromkeys(Report, NOW - ago), NOW) == seconds


def test_memory_of_each_container_against_its_limit() -> None:
    seen = view(redis={"memory_limit": 200, "restarts": 2})
    report = contents.memory(seen, {"id-redis": Figures(NOW, 50, 1.0, 3), "id-gone": Figures(NOW, 9, 1.0, 3)})
    assert report["total_bytes"] == 50
    assert report["containers"] == [
        {
            "container": "redis",
            "component": "redis",
            "bytes": 50,
            "limit_bytes": 200,
            "percent": 25.0,
            "restarts": 2,
        }
    ]
    assert contents.summary("memory", report) == "0 MB in 1 containers"


GOOD = {"status": "healthy", "services": {"secrets": "validated", "postgres": "healthy"}}


def test_health_is_that_of_containers_and_of_what_backends_say() -> None:
    well = contents.health(view(), {"backend-0": GOOD})
    assert (well["healthy"], well["problems"]) == (True, [])
    assert contents.summary("health", well) == "healthy"
    ill = contents.health(
        view(redis=EXITED, backend_1=UNHEALTHY),
        {"backend-0": {"services": {"postgres": "unhealthy"}}, "backend-1": "/api/health: TimeoutError"},
    )
    assert ill["healthy"] is False
    assert ill["problems"] == [
        "redis is exited, healthy",
        "backend-1 is running, unhealthy",
        "backend-0: postgres is unhealthy",
        "backend-1: /api/health: TimeoutError",
    ]


def test_a_stack_that_was_stopped_or_is_deployed_is_no_alarm() -> None:
    stopped = view(gateway=EXITED, backend_0=EXITED, backend_1=EXITED, postgres=EXITED, redis=EXITED)
    assert contents.health(stopped, {})["healthy"] is True
    assert contents.health(view(deploying="marked", backend_0=UNHEALTHY), {})["healthy"] is True


METRICS = """# TYPE medianest_workers gauge
medianest_workers{state="wanted"} 2
medianest_workers{state="healthy"} 1
# TYPE medianest_workers_terminated counter
medianest_workers_terminated_total{reason="crashed"} 3
medianest_workers_terminated_total{reason="restarted"} 5
# TYPE other counter
other_total 7
"""


def test_workers_that_failed_are_told_from_those_that_were_asked_to_end() -> None:
    report = contents.workers({"backend-0": METRICS, "backend-1": ""})
    assert report["failed"] == 3
    assert report["replicas"]["backend-0"]["medianest_workers"] == {"wanted": 2, "healthy": 1}
    assert contents.summary("workers", report) == "3 workers failed in 2 replicas"


def test_reports_are_kept_for_some_days(tmp_path: Path) -> None:
    history = History(tmp_path, days=2)
    for day in range(10):
        history.add("memory", NOW + day * 86_400, {"day": day})
    assert [report["day"] for report in history.read("memory")] == [7, 8, 9]
    assert [report["day"] for report in history.read("memory", NOW + 9 * 86_400)] == [9]
    assert list(history.read("health")) == []


def test_reports_take_no_more_room_than_they_may(tmp_path: Path) -> None:
    history = History(tmp_path, days=30, largest_bytes=1000)
    for second in range(200):
        history.add("health", NOW + second, {"second": second})
    assert (tmp_path / "health.jsonl").stat().st_size <= 1100
    assert [report["second"] for report in history.read("health")][-1] == 199


def test_nothing_is_dropped_that_is_neither_old_nor_too_much(tmp_path: Path) -> None:
    """A file between half of what there may be and all of it, tidied every six hours, and at each start."""
    for half_day in range(10):
        text = "x" * 100
        History(tmp_path, days=30, largest_bytes=2000).add("health", NOW + half_day * 43_200, {"text": text})
    kept = list(History(tmp_path, days=30).read("health"))
    assert 1000 < (tmp_path / "health.jsonl").stat().st_size <= 2000
    assert [report["at"] for report in kept] == [NOW + half_day * 43_200 for half_day in range(10)]


def test_what_is_too_old_is_dropped_before_it_counts_as_too_much(tmp_path: Path) -> None:
    history = History(tmp_path, days=1, largest_bytes=1500)
    for second in range(10):
        history.add("health", NOW + second, {"text": "x" * 100})
    history.add("health", NOW + 100_000, {"new": 1})
    assert [report["at"] for report in history.read("health")] == [NOW + 100_000]


def test_a_large_file_is_tidied_in_little_memory(tmp_path: Path) -> None:
    line = json.dumps({"at": NOW, "report": "health", "text": "x" * 2000}) + "\n"
    (tmp_path / "health.jsonl").write_text(line * 10_000)
    tracemalloc.start()
    try:
        History(tmp_path, days=30, largest_bytes=5_000_000).add("health", NOW + 1, {"new": 1})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 2_000_000 < (tmp_path / "health.jsonl").stat().st_size <= 2_500_000
    assert peak < 1_000_000


def test_a_report_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    history = History(tmp_path, days=30)
    history.add("health", NOW, {"number": 1})
    with (tmp_path / "health.jsonl").open("a") as file:
        file.write('{"at": 1, "rep\n')
    history.add("health", NOW, {"number": 2})
    assert [report["number"] for report in history.read("health")] == [1, 2]
