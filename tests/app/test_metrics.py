import asyncio
import re
import time
from collections.abc import Iterator
from typing import Any

from conftest import Running, StartBackend
from eventually import eventually
from medianest import metrics
from medianest.cache import CacheFigures
from medianest.database import DatabaseFigures
from medianest.events import EventFigures
from medianest.login_limits import LimitFigures
from medianest.loop_lag import LoopLag
from medianest.request_figures import Durations, RequestFigures
from medianest.workers.errors import Ending
from medianest.workers.figures import PoolFigures, WorkerFigures
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families


async def scraped(running: Running) -> dict[str, dict[str, float]]:
    """Sample name → labels as text → value."""
    answer = await running.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


async def test_requests_are_counted_by_template_method_and_status(running: Running) -> None:
    headers = await running.authorization()
    for path in ("/api/users/me", "/api/users/me", "/nowhere", "/api/users/7", "/%ff"):
        await running.client.get(path, headers=headers)
    await running.client.request("BREW", "/api/users/me")
    await running.client.request("MELT", "/api/users/me")
    figures = await scraped(running)
    assert figures["medianest_http_requests_total"] == {
        "method=GET,route=/api/users/me,status=200": 2,
        "method=GET,route=unmatched,status=404": 3,
        "method=POST,route=/api/auth/login,status=200": 1,
        "method=other,route=/api/users/me,status=405": 2,
    }
    assert figures["medianest_http_request_duration_seconds_count"]["method=GET,route=unmatched"] == 3
    assert figures["medianest_http_request_duration_seconds_sum"]["method=GET,route=/api/users/me"] > 0
    assert figures["medianest_http_requests_in_flight"] == {"": 1}


async def test_what_the_parts_count_is_shown(start_backend: StartBackend) -> None:
    async with start_backend() as running:
        headers = await running.authorization()
        for _ in range(3):
            await running.client.get("/api/users/me", headers=headers)
        figures = await scraped(running)
    assert figures["medianest_build_info"] == {"release=r1,stack=tests": 1}
    assert figures["medianest_cache_requests_total"] == {
        "outcome=hit": 2,
        "outcome=miss": 1,
        "outcome=bypass": 0,
    }
    assert figures["medianest_cache_up"] == {"": 1}
    assert figures["process_resident_memory_bytes"][""] > 10_000_000
    assert figures["process_open_fds"][""] > 5
    assert figures["process_cpu_seconds_total"][""] > 0


async def test_a_source_that_fails_takes_nothing_else_away(
    running: Running, logged: list[dict[str, Any]]
) -> None:
    def broken() -> Iterator[Metric]:
        raise RuntimeError

    running.backend.metrics.add(broken)
    assert "medianest_build_info" in await scraped(running)
    assert [line["event"] for line in logged if line["log_level"] == "error"] == ["Figures cannot be had"]


async def test_a_scraper_that_prefers_the_other_format_gets_it(running: Running) -> None:
    answer = await running.client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_durations_fall_into_buckets() -> None:
    durations, other = Durations((0.1, 1.0)), Durations((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7):
        durations.add(seconds)
    other.add(2)
    durations.merge(other)
    assert durations.cumulative() == [("0.1", 2), ("1.0", 3), ("+Inf", 5)]
    assert (durations.count, durations.seconds) == (5, 9.65)


def test_series_are_bounded_however_many_methods_clients_invent() -> None:
    figures = RequestFigures()
    for number in range(100):
        figures.count("unmatched", f"METHOD{number}", 404, 0.01)
    assert list(figures.finished) == [("unmatched", "other", 404)]


async def test_a_blocked_event_loop_is_seen() -> None:
    lag = LoopLag(interval=0.01)
    lag.start()

    def long() -> int:
        return sum(lag.lags.buckets[lag.lags.bounds.index(0.1) + 1 :])

    await eventually(lambda: lag.lags.count >= 2)
    # A machine that is busy blocks it too.
    before = long()
    time.sleep(0.2)
    async with asyncio.timeout(5):
        seen = lag.lags.count
        while lag.lags.count == seen:
            await asyncio.sleep(0)
    lag.stop()
    assert long() == before + 1


POOL = PoolFigures(
    size=9,
    healthy=10,
    busy=11,
    queued=12,
    queue_limit=100,
    oldest_queued_seconds=25,
    tasks_completed=13,
    tasks_failed=14,
    tasks_cancelled=15,
    tasks_refused=16,
    tasks_retried=0,
    workers_created=17,
    workers_terminated={Ending.CRASHED: 18, Ending.MEMORY: 19},
    starts_failed=0,
    workers=(WorkerFigures(1, 100, busy=False), WorkerFigures(2, 200, busy=True)),
)


def test_each_part_has_its_figures() -> None:
    families = [
        *metrics.cache(CacheFigures(True, 1, 2, 3, 4, 5, 6, 7)),
        *metrics.database(DatabaseFigures(5, 2, 3, 4, 5, 6, 7, 8)),
        *metrics.workers(POOL),
        *metrics.events(EventFigures({"users": 20}, 21, 22)),
        *metrics.logins(LimitFigures(23, 24)),
    ]
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }
    never: dict[tuple[str, ...], float] = {
        ("medianest_workers_terminated_total", str(ending)): 0
        for ending in set(Ending) - {Ending.CRASHED, Ending.MEMORY}
    }
    assert found == never | {
        ("medianest_cache_up",): 1,
        ("medianest_cache_connections",): 1,
        ("medianest_cache_requests_total", "hit"): 2,
        ("medianest_cache_requests_total", "miss"): 3,
        ("medianest_cache_requests_total", "bypass"): 4,
        ("medianest_cache_errors_total",): 5,
        ("medianest_cache_loads_total",): 6,
        ("medianest_cache_outages_total",): 7,
        ("medianest_database_connections", "idle"): 2,
        ("medianest_database_connections", "active"): 3,
        ("medianest_database_waiting_requests",): 4,
        ("medianest_database_connection_changes_total", "created"): 5,
        ("medianest_database_connection_changes_total", "destroyed"): 6,
        ("medianest_database_failures_total", "error"): 7,
        ("medianest_database_failures_total", "exhausted"): 8,
        ("medianest_workers", "wanted"): 9,
        ("medianest_workers", "healthy"): 10,
        ("medianest_workers", "busy"): 11,
        ("medianest_worker_tasks_queued",): 12,
        ("medianest_worker_queue_age_seconds",): 25,
        ("medianest_worker_tasks_total", "completed"): 13,
        ("medianest_worker_tasks_total", "failed"): 14,
        ("medianest_worker_tasks_total", "cancelled"): 15,
        ("medianest_worker_tasks_total", "refused"): 16,
        ("medianest_workers_created_total",): 17,
        ("medianest_workers_terminated_total", "crashed"): 18,
        ("medianest_workers_terminated_total", "memory"): 19,
        ("medianest_workers_resident_bytes",): 300,
        ("medianest_event_listeners", "users"): 20,
        ("medianest_event_deliveries_total", "delivered"): 21,
        ("medianest_event_deliveries_total", "failed"): 22,
        ("medianest_logins_refused_total",): 23,
        ("medianest_logins_without_redis_total",): 24,
    }
    assert all(re.fullmatch(r"medianest_[a-z_]+", name) for name, *_ in found)
