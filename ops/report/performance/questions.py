"""What Prometheus is asked for, in its language: from the settings of a stack. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from components.monitoring.rules.backend import FAILURES, MEMORY, memory_levels
from components.monitoring.rules.traffic import ANSWERS, DURATIONS, FAILED
from components.settings import StackSettings

# So many points a plot has, whatever the span is.
POINTS = 120
ROUTES = 10
# Each deploy makes other containers: what goes on is the replica.
REPLICA = f'label_replace({MEMORY}, "replica", "$1", "container", ".*-(backend-[0-9]+)-[0-9a-f]+")'
CACHE = 'medianest_cache_requests_total{job="backend"'


@dataclass(frozen=True)
class Question:
    """One trend: a plot. `lines` has the name and the expression of each line, a name with {} one for each
    value of the label `by`. `warning` and `critical` are levels of the settings, in `unit`, for the line
    `judged`, or for all where none is named. `better` is which way is the good one, where one is."""

    key: str
    title: str
    unit: str
    lines: Sequence[tuple[str, str]]
    by: str = ""
    warning: float | None = None
    critical: float | None = None
    judged: str = ""
    better: Literal["up", "down", ""] = ""


def step_of(seconds: float, scrape_seconds: float) -> float:
    """Between two points, in seconds: never less than between two readings."""
    return float(max(round(seconds / POINTS), round(scrape_seconds), 1))


def questions(settings: StackSettings, step: float) -> list[Question]:
    """Every trend that this stack has figures of."""
    monitoring = settings.monitoring
    alerts = monitoring.alerts
    # A rate needs a few readings.
    window = f"{max(step, 4 * monitoring.scrape_seconds):.0f}s"
    warning, critical = memory_levels(settings)
    answered, failed = f"sum(rate({ANSWERS}[{window}]))", f"sum(rate({FAILED}[{window}]))"
    found = [
        Question("traffic", "Requests", "1/s", [("requests", answered)]),
        Question(
            "errors",
            "Errors",
            "%",
            [("answered with 5xx", f"100 * {failed} / ({answered} > 0)")],
            warning=alerts.error_percent.warning,
            critical=alerts.error_percent.critical,
            better="down",
        ),
        Question(
            "memory",
            "Memory of the backends",
            "MB",
            [("{}", f"max by (replica) ({REPLICA}) / 1e6")],
            by="replica",
            warning=warning / 1e6,
            critical=critical / 1e6,
            better="down",
        ),
        Question(
            "memory-all",
            "Memory of all containers",
            "MB",
            [("all", "sum(medianest_container_memory_bytes) / 1e6")],
        ),
        Question(
            "processor",
            "Processor time of all containers",
            "cores",
            [("all", f"sum(rate(medianest_container_cpu_seconds_total[{window}]))")],
        ),
    ]
    if monitoring.backend_metrics:
        hits = f'sum(rate({CACHE},outcome="hit"}}[{window}]))'
        asked = f'sum(rate({CACHE},outcome=~"hit|miss"}}[{window}]))'
        found[1:1] = [
            Question(
                "latency",
                "Latency",
                "ms",
                [(f"p{part}", f"1000 * {quantile(part, 'le', window)}") for part in (50, 95, 99)],
                warning=alerts.response_ms.warning,
                critical=alerts.response_ms.critical,
                judged="p95",
                better="down",
            )
        ]
        found += [
            Question(
                "cache",
                "Hits of the cache",
                "%",
                [("hit ratio", f"100 * {hits} / ({asked} > 0)")],
                better="up",
            ),
            Question(
                "connections",
                "Connections to Postgres",
                "",
                [("{}", 'sum by (state) (medianest_database_connections{job="backend"})')],
                by="state",
            ),
            Question(
                "workers",
                "Failures of workers",
                "",
                [("failed", f"sum(increase({FAILURES}[{window}]))")],
            ),
        ]
    return found


def quantile(percent: int, by: str, window: str) -> str:
    """The time in seconds that so many of the requests took at most."""
    return f"histogram_quantile({percent / 100:g}, sum by ({by}) (rate({DURATIONS}[{window}])))"


def route_questions(seconds: float) -> dict[str, str]:
    """What tells of the routes over a whole span: by what it tells, each by `route` and `method`."""
    window, by = f"{seconds:.0f}s", "route, method"
    name = DURATIONS.split("{")[0].removesuffix("_bucket")
    count, total = (
        f'sum by ({by}) (increase({name}_{part}{{job="backend"}}[{window}]))' for part in ("count", "sum")
    )
    return {
        "requests": count,
        "seconds": total,
        "p95": quantile(95, f"le, {by}", window),
    }
