"""What makes each alert fire, and what is near it and must not. Series are in promtool's notation.

Source: https://prometheus.io/docs/prometheus/2.53/configuration/unit_testing_rules/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MB = 1024 * 1024


@dataclass(frozen=True)
class Firing:
    """An alert that is there. `labels` are those that come from the series."""

    severity: str
    component: str
    summary: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """Readings every `step` seconds, and what fires of one alert `at` so many seconds."""

    alert: str
    series: Mapping[str, str]
    at: int
    firing: tuple[Firing, ...] = ()
    step: int = 5


def counter(rate: float, count: int = 200) -> str:
    """A counter that grows by `rate` with each reading."""
    return f"0+{rate:g}x{count}"


def steady(value: float, count: int = 200) -> str:
    """A figure that stays."""
    return f"{value:.0f}x{count}"


ANSWERS = 'haproxy_frontend_http_responses_total{proxy="clients",code="%s"}'
ACTIVE = 'haproxy_backend_active_servers{proxy="backends"}'
RESTARTS = 'medianest_container_restarts_total{component="redis",container="redis-1"}'
MEMORY = 'medianest_container_memory_bytes{component="backend",container="backend-1"}'
ONE = {"component": "backend", "container": "backend-1", "instance_container": "backend-1"}
HISTOGRAM = 'medianest_http_request_duration_seconds_bucket{job="backend",le="%s"}'
WORKERS = 'medianest_workers{job="backend",instance="b:3000",state="%s"}'
FAILURES = 'medianest_workers_terminated_total{job="backend",reason="%s"}'
QUEUED = 'medianest_worker_tasks_queued{job="backend"}'
AGE = 'medianest_worker_queue_age_seconds{job="backend"}'
WAITING = 'medianest_database_waiting_requests{job="backend"}'
EXHAUSTED = 'medianest_database_failures_total{job="backend",reason="exhausted"}'
FREE = 'node_filesystem_avail_bytes{mountpoint="/"}'
SIZE = 'node_filesystem_size_bytes{mountpoint="/"}'
DATABASE = 'pg_database_size_bytes{datname="medianest"}'
UP = 'up{job="%s"}'
LAST_LOOK = 'medianest_guardian_last_look_seconds{job="guardian"}'
STARTED = 'process_start_time_seconds{job="guardian"}'


def answers(good: float, bad: float, count: int = 400) -> dict[str, str]:
    """The gateway's answers, growing by these with each reading."""
    return {ANSWERS % "2xx": counter(good, count), ANSWERS % "5xx": counter(bad, count)}


def times(fast: float, slow: float, very_slow: float) -> dict[str, str]:
    """Requests below 0.25 s, below 1 s, and below 5 s; 100 answers in five seconds."""
    return {
        HISTOGRAM % "0.25": counter(fast),
        HISTOGRAM % "1": counter(fast + slow),
        HISTOGRAM % "5": counter(fast + slow + very_slow),
        HISTOGRAM % "+Inf": counter(fast + slow + very_slow),
        **answers(100, 0),
    }


def _all_up(**down: str) -> dict[str, str]:
    jobs = ["gateway", "guardian", "alertmanager", "postgres-exporter", "redis-exporter", "node-exporter"]
    given = {UP % job: down.get(job.replace("-", "_"), "1x100") for job in jobs}
    return {**given, ACTIVE: "2x100", "pg_up": "1x100", "redis_up": "1x100"}


def _blind(seconds: int) -> Firing:
    summary = f"The guardian has not seen the engine for {seconds} s: nothing heals by itself."
    return Firing("critical", "guardian", summary, {"job": "guardian"})


SERVICES = [
    Case("ServiceDown", _all_up(), 300),
    # One reading that failed is no outage of a part that did not say so itself.
    Case("ServiceDown", _all_up(gateway="1x9 0 1x90", guardian="1x9 0 1x90", redis_exporter="1 0 1x90"), 50),
    Case(
        "ServiceDown",
        _all_up(gateway="1 1 0x98"),
        30,
        (Firing("critical", "gateway", "The gateway does not answer.", {"job": "gateway"}),),
    ),
    Case(
        "ServiceDown",
        {**_all_up(), ACTIVE: "2 2 0x98"},
        15,
        (
            Firing(
                "critical",
                "backend",
                "No backend is ready: every request gets a 503.",
                {"proxy": "backends"},
            ),
        ),
    ),
    Case(
        "ServiceDown",
        {**_all_up(), "pg_up": "1 1 0x98", "redis_up": "1 1 0x98"},
        15,
        (
            Firing("critical", "postgres", "Postgres does not answer."),
            Firing("critical", "redis", "Redis does not answer."),
        ),
    ),
    # It accepts connections and says nothing: its exporter hangs, which is not the exporter's fault.
    Case(
        "ServiceDown",
        {
            **_all_up(postgres_exporter="1 1 0x98"),
            "pg_up": "1 1 _x98",
            'scrape_duration_seconds{job="postgres-exporter"}': "0.1 0.1 3x98",
        },
        60,
        (Firing("critical", "postgres", "Postgres does not answer.", {"job": "postgres-exporter"}),),
    ),
    Case(
        "ServiceDown",
        _all_up(guardian="1 1 0x98", redis_exporter="1 1 0x98"),
        60,
        (
            Firing(
                "critical",
                "guardian",
                "The guardian does not answer: nothing heals by itself.",
                {"job": "guardian"},
            ),
            Firing("warning", "redis-exporter", "redis-exporter does not answer.", {"job": "redis-exporter"}),
        ),
    ),
    # It answers, and sees the engine; it has just begun to look for it.
    Case("ServiceDown", {**_all_up(), LAST_LOOK: "0+5x100", STARTED: steady(0)}, 300),
    Case("ServiceDown", {**_all_up(), LAST_LOOK: steady(0), STARTED: steady(200)}, 300),
    # It has lost the engine; it has never found it.
    Case(
        "ServiceDown",
        {**_all_up(), LAST_LOOK: "0+5x20 100x80", STARTED: steady(0)},
        300,
        (_blind(200),),
    ),
    Case("ServiceDown", {**_all_up(), LAST_LOOK: steady(0), STARTED: steady(100)}, 300, (_blind(200),)),
    Case("BackendReplicaMissing", {ACTIVE: "1x9 0x50"}, 100),
    Case("BackendReplicaMissing", {ACTIVE: "2x9 1 2x50"}, 60),
    Case(
        "BackendReplicaMissing",
        {ACTIVE: "2x9 1x50"},
        60,
        (Firing("warning", "backend", "1 of 2 backends are ready.", {"proxy": "backends"}),),
    ),
    Case("ContainerRestartLoop", {RESTARTS: "0x60 1x60 2x80"}, 900),
    Case(
        "ContainerRestartLoop",
        {RESTARTS: "0x60 1x30 2x30 3x80"},
        900,
        (
            Firing(
                "warning",
                "redis",
                "redis-1 was restarted 3 times in 15 minutes.",
                {"container": "redis-1", "instance_container": "redis-1"},
            ),
        ),
    ),
    Case(
        "ContainerRestartLoop",
        {RESTARTS: "0x60 1x20 2x20 3x20 4x20 5x20 6x80"},
        900,
        tuple(
            Firing(
                severity,
                "redis",
                "redis-1 was restarted 6 times in 15 minutes.",
                {"container": "redis-1", "instance_container": "redis-1"},
            )
            for severity in ("warning", "critical")
        ),
    ),
]

TRAFFIC = [
    Case("ErrorRateHigh", answers(100, 0.9), 600),
    # Too few requests to judge.
    Case("ErrorRateHigh", answers(0.1, 0.1), 600),
    # It is over.
    Case("ErrorRateHigh", {ANSWERS % "2xx": counter(100), ANSWERS % "5xx": "0+20x60 1200x100"}, 400),
    Case(
        "ErrorRateHigh",
        answers(98, 2),
        600,
        (Firing("warning", "backend", "2.0 % of the requests fail."),),
    ),
    Case(
        "ErrorRateHigh",
        answers(90, 10),
        600,
        tuple(
            Firing(severity, "backend", "10.0 % of the requests fail.")
            for severity in ("warning", "critical")
        ),
    ),
    Case("ResponseTimeHigh", times(99, 1, 0), 600),
    Case(
        "ResponseTimeHigh",
        times(50, 50, 0),
        600,
        (Firing("warning", "backend", "One request in twenty takes longer than 925 ms."),),
    ),
    Case(
        "ResponseTimeHigh",
        times(50, 0, 50),
        600,
        tuple(
            Firing(severity, "backend", "One request in twenty takes longer than 4600 ms.")
            for severity in ("warning", "critical")
        ),
    ),
    # 0.3 % fail: three times the budget of 0.1 % is below both factors.
    Case("ErrorBudgetBurn", answers(99.7, 0.3), 7 * 3600, step=60),
    # It burned for an hour and stopped: the short window says so.
    Case(
        "ErrorBudgetBurn",
        {ANSWERS % "2xx": "0+100x500", ANSWERS % "5xx": "0x300 1+4x60 241x140"},
        400 * 60,
        step=60,
    ),
    Case(
        "ErrorBudgetBurn",
        answers(99, 1, 500),
        7 * 3600,
        (
            Firing(
                "warning",
                "backend",
                "Errors use up the error budget of 30 days 6 times too fast"
                " (1% of the requests failed in 6h).",
            ),
        ),
        step=60,
    ),
    Case(
        "ErrorBudgetBurn",
        answers(98, 2, 500),
        7 * 3600,
        (
            Firing(
                "critical",
                "backend",
                "Errors use up the error budget of 30 days 14.4 times too fast"
                " (2% of the requests failed in 1h).",
            ),
            Firing(
                "warning",
                "backend",
                "Errors use up the error budget of 30 days 6 times too fast"
                " (2% of the requests failed in 6h).",
            ),
        ),
        step=60,
    ),
]
