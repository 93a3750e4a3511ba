"""The same for memory, workers, pools, disks, secrets, and the watch itself."""

from __future__ import annotations

from tests.images.rule_cases import (
    ACTIVE,
    AGE,
    DATABASE,
    EXHAUSTED,
    FAILURES,
    FREE,
    MB,
    MEMORY,
    ONE,
    QUEUED,
    SIZE,
    UP,
    WAITING,
    WORKERS,
    Case,
    Firing,
    steady,
)

GB = 1024 * MB
AVAILABLE, TOTAL = "node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes"
# The labels are Alertmanager's own: see test_watching.
LOST = 'alertmanager_notifications_failed_total{receiver_name="team",integration="email",reason="x"}'


def _memory(megabytes: str) -> dict[str, str]:
    return {MEMORY: megabytes}


def _workers(healthy: int, busy: int, queued: int) -> dict[str, str]:
    return {
        WORKERS % "wanted": steady(4),
        WORKERS % "healthy": steady(healthy),
        WORKERS % "busy": steady(busy),
        QUEUED: steady(queued),
    }


def _sawtooth(low: int, high: int, period: int, count: int) -> str:
    """Up from `low` to `high` within `period` readings, and down again at once."""
    rise = (high - low) / (period - 1)
    return " ".join(f"{low + rise * (number % period):.0f}" for number in range(count))


def _warm_up(start: int, end: int, half_life: float, count: int) -> str:
    """A growth that slows down: half of what is left is gained with each `half_life` readings."""
    return " ".join(f"{end - (end - start) * 0.5 ** (number / half_life):.0f}" for number in range(count))


BACKEND = [
    Case("BackendMemoryHigh", _memory(steady(383 * MB)), 300),
    Case(
        "BackendMemoryHigh",
        _memory(steady(400 * MB)),
        300,
        (Firing("warning", "backend", "backend-1 holds 400MiB of memory.", ONE),),
    ),
    Case(
        "BackendMemoryHigh",
        _memory(steady(480 * MB)),
        300,
        tuple(
            Firing(severity, "backend", "backend-1 holds 480MiB of memory.", ONE)
            for severity in ("warning", "critical")
        ),
    ),
    # 1 MB a minute from 200 MB on: 440 MB in four hours more than now.
    Case(
        "BackendMemoryTrend",
        _memory(f"{200 * MB}+{MB}x120"),
        100 * 60,
        (
            Firing(
                "warning",
                "backend",
                "The memory of backend-1 reaches its limit within 4 hours, if it goes on like this.",
                ONE,
            ),
        ),
        step=60,
    ),
    Case("BackendMemoryTrend", _memory(f"{200 * MB}+{MB // 4}x120"), 100 * 60, step=60),
    # In the middle of a tooth the line through the readings points at the limit.
    *(
        Case("BackendMemoryTrend", _memory(_sawtooth(150 * MB, 350 * MB, 18, 130)), minute * 60, step=60)
        for minute in (85, 90, 95, 100, 107)
    ),
    Case("BackendMemoryTrend", _memory(_warm_up(100 * MB, 300 * MB, 15, 130)), 61 * 60, step=60),
    Case("BackendMemoryTrend", _memory(_warm_up(100 * MB, 300 * MB, 30, 130)), 75 * 60, step=60),
    # Not there for a whole window yet.
    Case("BackendMemoryTrend", _memory(f"_x60 {200 * MB}+{4 * MB}x60"), 90 * 60, step=60),
    Case(
        "WorkerFailures",
        {FAILURES % "crashed": "0x10 9x60", FAILURES % "used_up": "0x10 500x60"},
        3600,
        step=60,
    ),
    Case(
        "WorkerFailures",
        {FAILURES % "crashed": "0x5 12x60", FAILURES % "memory": "0x60"},
        3600,
        (Firing("warning", "backend", "12 workers failed within an hour."),),
        step=60,
    ),
    Case(
        "WorkerFailures",
        {FAILURES % "crashed": "0x5 30x60", FAILURES % "deadline": "0x5 30x60"},
        3600,
        tuple(
            Firing(severity, "backend", "60 workers failed within an hour.")
            for severity in ("warning", "critical")
        ),
        step=60,
    ),
    Case("WorkerPoolUnhealthy", _workers(2, 0, 0), 300),
    Case(
        "WorkerPoolUnhealthy",
        _workers(1, 0, 0),
        300,
        (
            Firing(
                "critical",
                "backend",
                "Fewer than half of the workers of b:3000 are healthy.",
                {"instance": "b:3000", "job": "backend"},
            ),
        ),
    ),
    Case("WorkerPoolSaturated", _workers(4, 4, 0), 300),
    Case("WorkerPoolSaturated", _workers(4, 3, 5), 300),
    Case(
        "WorkerPoolSaturated",
        _workers(4, 4, 5),
        300,
        (Firing("warning", "backend", "Every worker is busy, and tasks wait."),),
    ),
    Case("QueueAgeHigh", {AGE: steady(29)}, 300),
    Case(
        "QueueAgeHigh",
        {AGE: steady(60)},
        300,
        (Firing("warning", "backend", "The oldest task has waited for 60 s."),),
    ),
    Case(
        "QueueAgeHigh",
        {AGE: steady(150)},
        300,
        tuple(
            Firing(severity, "backend", "The oldest task has waited for 150 s.")
            for severity in ("warning", "critical")
        ),
    ),
    # Somebody waits now and then.
    Case("DatabasePoolSaturated", {WAITING: "3x5 0 3x5 0 3x5", EXHAUSTED: steady(7)}, 80),
    # Postgres was down just before: that is another alert.
    Case(
        "DatabasePoolSaturated",
        {WAITING: steady(0), EXHAUSTED: "0x10 8x100", "pg_up": "1x9 0x3 1x90"},
        90,
    ),
    Case(
        "DatabasePoolSaturated",
        {WAITING: steady(3), EXHAUSTED: steady(7)},
        300,
        (Firing("warning", "backend", "3 requests wait for a connection to Postgres."),),
    ),
    Case(
        "DatabasePoolSaturated",
        {WAITING: steady(0), EXHAUSTED: "0x10 8x100"},
        90,
        (Firing("critical", "backend", "No connection to Postgres was free for 8 requests."),),
    ),
    Case("BackendFiguresMissing", {UP % "backend": steady(1), ACTIVE: steady(2)}, 300),
    # Without a backend there is another alert.
    Case("BackendFiguresMissing", {UP % "backend": steady(0), ACTIVE: steady(0)}, 300),
    Case(
        "BackendFiguresMissing",
        {UP % "backend": steady(0), ACTIVE: steady(2)},
        300,
        (Firing("warning", "backend", "No backend shows its figures at /metrics."),),
    ),
]

RESOURCES = [
    Case("PostgresConnectionsHigh", {'pg_stat_database_numbackends{datname="a"}': steady(79)}, 300),
    Case(
        "PostgresConnectionsHigh",
        {'pg_stat_database_numbackends{datname="a"}': steady(90)},
        300,
        (Firing("warning", "postgres", "90 % of the connections that Postgres takes are in use."),),
    ),
    Case(
        "PostgresConnectionsHigh",
        {
            'pg_stat_database_numbackends{datname="a"}': steady(90),
            'pg_stat_database_numbackends{datname="b"}': steady(8),
        },
        300,
        tuple(
            Firing(severity, "postgres", "98 % of the connections that Postgres takes are in use.")
            for severity in ("warning", "critical")
        ),
    ),
    Case("DiskSpaceLow", {FREE: steady(16), SIZE: steady(100)}, 300),
    Case(
        "DiskSpaceLow",
        {FREE: steady(10), SIZE: steady(100)},
        300,
        (Firing("warning", "host", "10.0 % of the disk with Docker's data is free."),),
    ),
    Case(
        "DiskSpaceLow",
        {FREE: steady(4), SIZE: steady(100)},
        300,
        tuple(
            Firing(severity, "host", "4.0 % of the disk with Docker's data is free.")
            for severity in ("warning", "critical")
        ),
    ),
    # 100 GB, 4 GB an hour.
    Case(
        "DiskTrend",
        {FREE: f"{100 * GB}-{4 * GB // 60}x400"},
        300 * 60,
        (
            Firing(
                "warning",
                "host",
                "The disk with Docker's data is full within 24 hours, if it goes on like this.",
                {"mountpoint": "/"},
            ),
        ),
        step=60,
    ),
    Case("DiskTrend", {FREE: f"{100 * GB}-{GB // 60}x400"}, 300 * 60, step=60),
    # Builds fill it, and are cleaned away.
    *(
        Case("DiskTrend", {FREE: _sawtooth(30 * GB, 80 * GB, 50, 300)}, minute * 60, step=60)
        for minute in (200, 220, 240)
    ),
    Case("DiskTrend", {FREE: "100x200 " + f"{100 * GB}-{20 * GB // 60}x30"}, 215 * 60, step=60),
    Case(
        "DatabaseTrend",
        {FREE: f"{20 * GB}x400", DATABASE: f"{GB}+{2 * GB // 60}x400"},
        300 * 60,
        (
            Firing(
                "warning",
                "postgres",
                "The database medianest fills the disk within 24 hours, if it goes on like this.",
                {"datname": "medianest"},
            ),
        ),
        step=60,
    ),
    Case("DatabaseTrend", {FREE: f"{100 * GB}x400", DATABASE: f"{GB}+{2 * GB // 60}x400"}, 300 * 60, step=60),
    Case(
        "HostMemoryLow",
        {AVAILABLE: "11x60", TOTAL: "100x60"},
        200,
    ),
    Case(
        "HostMemoryLow",
        {AVAILABLE: "8x60", TOTAL: "100x60"},
        200,
        (Firing("warning", "host", "8.0 % of the host's memory is available."),),
    ),
    Case(
        "HostMemoryLow",
        {AVAILABLE: "3x60", TOTAL: "100x60"},
        200,
        tuple(
            Firing(severity, "host", "3.0 % of the host's memory is available.")
            for severity in ("warning", "critical")
        ),
    ),
    # promtool's clock begins in 1970, and so do the secrets of these tests.
    Case("SecretOld", {}, 179 * 86400, step=86400),
    Case(
        "SecretOld",
        {},
        190 * 86400,
        (Firing("warning", "secrets", "jwt_secret is 190 days old.", {"secret": "jwt_secret"}),),
        step=86400,
    ),
]

WATCH = [
    Case(
        "Watchdog",
        {},
        60,
        (Firing("warning", "prometheus", "Always there: when it stops, alerts do not get through."),),
    ),
    Case(
        "NotificationsFailing",
        {LOST: steady(4)},
        600,
    ),
    Case(
        "NotificationsFailing",
        {LOST: "0x80 4x80"},
        600,
        (
            Firing(
                "warning",
                "alertmanager",
                "Alerts do not reach the receiver team by email.",
                {"receiver_name": "team", "integration": "email"},
            ),
        ),
    ),
    Case("RulesFailing", {'prometheus_rule_evaluation_failures_total{rule_group="x"}': steady(4)}, 600),
    Case(
        "RulesFailing",
        {'prometheus_rule_evaluation_failures_total{rule_group="x"}': "0x80 4x80"},
        600,
        (Firing("warning", "prometheus", "Prometheus cannot evaluate some of its rules."),),
    ),
]
