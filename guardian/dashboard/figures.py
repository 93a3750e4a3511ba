"""What the dashboard asks of Prometheus: instant figures, and lines of the last half hour."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from guardian.prometheus import Prometheus

_DURATIONS = 'medianest_http_request_duration_seconds_bucket{job="backend"}[5m]'
_REQUESTS = 'medianest_http_requests_total{job="backend"'
_CLIENTS = 'haproxy_frontend_http_responses_total{proxy="clients"}'
_PLANNED = "cancelled|used_up|restarted|stopped"
_ALL_ROUTES = f"sum by (le) (rate({_DURATIONS}))"

# One value each.
SINGLE: Mapping[str, str] = {
    "requests": f"sum(rate({_CLIENTS}[1m]))",
    "error_ratio": "medianest:error_ratio:rate5m",
    "p50": f"histogram_quantile(0.5, {_ALL_ROUTES})",
    "p95": f"histogram_quantile(0.95, {_ALL_ROUTES})",
    "p99": f"histogram_quantile(0.99, {_ALL_ROUTES})",
    "database_active": 'sum(medianest_database_connections{state="active"})',
    "database_idle": 'sum(medianest_database_connections{state="idle"})',
    "database_waiting": "sum(medianest_database_waiting_requests)",
    "postgres_connections": "sum(pg_stat_database_numbackends)",
    "queued": "sum(medianest_worker_tasks_queued)",
    "queue_age": "max(medianest_worker_queue_age_seconds)",
    "workers_wanted": 'sum(medianest_workers{state="wanted"})',
    "workers_healthy": 'sum(medianest_workers{state="healthy"})',
    "workers_busy": 'sum(medianest_workers{state="busy"})',
    "workers_failed_hour": (
        f'sum(increase(medianest_workers_terminated_total{{reason!~"{_PLANNED}"}}[1h])) or vector(0)'
    ),
    "cache_up": "min(medianest_cache_up)",
    "cache_hit_ratio": (
        'sum(rate(medianest_cache_requests_total{outcome="hit"}[5m]))'
        " / sum(rate(medianest_cache_requests_total[5m]))"
    ),
    "redis_memory": "sum(redis_memory_used_bytes)",
    "redis_memory_limit": "sum(redis_memory_max_bytes)",
}
# One value a route.
BY_ROUTE: Mapping[str, str] = {
    "route_requests": f"sum by (route) (rate({_REQUESTS}}}[5m]))",
    "route_errors": f'sum by (route) (rate({_REQUESTS},status=~"5.."}}[5m]))',
    "route_p95": f"histogram_quantile(0.95, sum by (route, le) (rate({_DURATIONS})))",
}
# Drawn over HISTORY_SECONDS.
LINES = ("requests", "error_ratio", "p95")
HISTORY_SECONDS, STEP_SECONDS = 1800.0, 15.0


@dataclass(frozen=True)
class PrometheusFigures:
    """`at` is when Prometheus last answered, 0 where it never has; `problem` why it does not now."""

    at: float = 0.0
    single: Mapping[str, float] = field(default_factory=dict)
    by_route: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    alerts: Sequence[Mapping[str, Any]] = ()
    problem: str = ""


async def ask(prometheus: Prometheus, now: float) -> PrometheusFigures:
    """All of them at once. Raises PrometheusError."""
    queries = [*SINGLE.values(), *BY_ROUTE.values()]
    answers = await asyncio.gather(prometheus.alerts(), *(prometheus.query(query) for query in queries))
    alerts, series = answers[0], answers[1:]
    single = {
        name: value
        for name, found in zip(SINGLE, series, strict=False)
        if found and (value := _number(found[0]["value"])) is not None
    }
    by_route = {
        name: {
            item["labels"].get("route", ""): value
            for item in found
            if (value := _number(item["value"])) is not None
        }
        for name, found in zip(BY_ROUTE, series[len(SINGLE) :], strict=True)
    }
    return PrometheusFigures(now, single, by_route, alerts)


async def history(prometheus: Prometheus, now: float) -> Mapping[str, Sequence[float | None]]:
    """The lines, by name, and the moments that they share as `at`. Raises PrometheusError."""
    until = now - now % STEP_SECONDS
    since = until - HISTORY_SECONDS
    lines = await asyncio.gather(
        *(prometheus.line(SINGLE[name], since, until, STEP_SECONDS) for name in LINES)
    )
    moments = [since + STEP_SECONDS * number for number in range(int(HISTORY_SECONDS / STEP_SECONDS) + 1)]
    return {
        "at": moments,
        **{
            name: [_number(line.get(moment)) for moment in moments]
            for name, line in zip(LINES, lines, strict=True)
        },
    }


def _number(value: object) -> float | None:
    """A figure of Prometheus', None for one that is none (0 divided by 0)."""
    if value is None:
        return None
    number = float(str(value))
    return number if math.isfinite(number) else None
