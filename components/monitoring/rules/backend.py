"""What the backends tell of themselves, and what the guardian measures of their containers."""

from __future__ import annotations

from components.monitoring.rules.model import SLOW_SECONDS, Alert, Group, Rule
from components.monitoring.rules.traffic import HOUR, MINUTE, levels
from components.monitoring.rules.trend import rising
from components.monitoring.windows import Windows
from components.settings import StackSettings

MEMORY = 'medianest_container_memory_bytes{component="backend"}'
# Ends of workers that nobody asked for.
BAD_ENDS = "crashed|memory|deadline|protocol|unresponsive"
FAILURES = f'medianest_workers_terminated_total{{job="backend",reason=~"{BAD_ENDS}"}}'
MEGABYTE = 1024 * 1024
EXHAUSTED = 'medianest_database_failures_total{job="backend",reason="exhausted"}'
# A small limit comes before the levels of the settings: these shares of it do.
WARNING_SHARE, CRITICAL_SHARE = 0.75, 0.9


def memory_levels(settings: StackSettings) -> tuple[float, float]:
    """Both levels of a backend's memory in bytes, below the limit of its container."""
    wanted, limit = settings.monitoring.alerts.memory_mb, settings.backend.limits.memory_mb
    warning = min(wanted.warning, WARNING_SHARE * limit)
    return warning * MEGABYTE, min(wanted.critical, CRITICAL_SHARE * limit) * MEGABYTE


def worker_failures(windows: Windows) -> str:
    """The workers that have failed within an hour, in all replicas."""
    return f"sum(increase({FAILURES}[{windows.span(HOUR)}]))"


def backend(settings: StackSettings, windows: Windows) -> Group:
    """Alerts on memory, and on pools, workers and queues where the backends tell of them."""
    monitoring = settings.monitoring
    warning, critical = memory_levels(settings)
    rules: list[Rule] = [
        *(
            Alert(
                "BackendMemoryHigh",
                severity,
                "backend",
                action,
                f"{MEMORY} > {level:.0f}",
                "{{ $labels.container }} holds {{ $value | humanize1024 }}B of memory.",
                windows.hold(10),
                container=True,
            )
            for severity, action, level in levels("restart", warning, "restart", critical)
        ),
    ]
    if monitoring.backend_metrics:
        rules += _own_figures(settings, windows)
    return Group("backend", rules)


def backend_trend(settings: StackSettings, windows: Windows) -> Group:
    """The alert on memory that grows towards the limit of the container."""
    hours, limit = settings.monitoring.alerts.memory_trend_hours, settings.backend.limits.memory_mb
    ahead = hours * HOUR
    return Group(
        "backend-trend",
        [
            Alert(
                "BackendMemoryTrend",
                "warning",
                "backend",
                "restart",
                rising(MEMORY, f"{limit * MEGABYTE}", ahead / 4, ahead, windows),
                "The memory of {{ $labels.container }} reaches its limit within"
                f" {hours:g} hours, if it goes on like this.",
                container=True,
            )
        ],
        windows.pause(SLOW_SECONDS),
    )


def _own_figures(settings: StackSettings, windows: Windows) -> list[Rule]:
    alerts = settings.monitoring.alerts
    minute = windows.span(MINUTE)
    # Whoever waited for it then says nothing of the pool.
    postgres_was_down = " or ".join(
        f"min_over_time({figure}[{minute}]) == 0" for figure in ("pg_up", 'up{job="postgres-exporter"}')
    )
    return [
        *(
            Alert(
                "WorkerFailures",
                severity,
                "backend",
                action,
                f"{worker_failures(windows)} > {level:g}",
                '{{ printf "%.0f" $value }} workers failed within an hour.',
            )
            for severity, action, level in levels(
                "restart-workers",
                alerts.worker_failures.warning,
                "restart-workers",
                alerts.worker_failures.critical,
            )
        ),
        Alert(
            "WorkerPoolUnhealthy",
            "critical",
            "backend",
            "restart-workers",
            'medianest_workers{job="backend",state="healthy"} * 2'
            ' < ignoring(state) medianest_workers{job="backend",state="wanted"}',
            "Fewer than half of the workers of {{ $labels.instance }} are healthy.",
            windows.hold(MINUTE),
        ),
        Alert(
            "WorkerPoolSaturated",
            "warning",
            "backend",
            "investigate",
            'sum(medianest_workers{job="backend",state="busy"})'
            ' >= sum(medianest_workers{job="backend",state="healthy"})'
            ' and sum(medianest_worker_tasks_queued{job="backend"}) > 0',
            "Every worker is busy, and tasks wait.",
            windows.hold(2 * MINUTE),
        ),
        *(
            Alert(
                "QueueAgeHigh",
                severity,
                "backend",
                action,
                f'max(medianest_worker_queue_age_seconds{{job="backend"}}) > {level:g}',
                'The oldest task has waited for {{ printf "%.0f" $value }} s.',
            )
            for severity, action, level in levels(
                "investigate", alerts.queue_seconds.warning, "investigate", alerts.queue_seconds.critical
            )
        ),
        Alert(
            "DatabasePoolSaturated",
            "warning",
            "backend",
            "investigate",
            'sum(medianest_database_waiting_requests{job="backend"}) > 0',
            "{{ $value }} requests wait for a connection to Postgres.",
            windows.hold(MINUTE),
        ),
        Alert(
            "DatabasePoolSaturated",
            "critical",
            "backend",
            "investigate",
            f"sum(increase({EXHAUSTED}[{minute}])) > 0 unless on() ({postgres_was_down})",
            'No connection to Postgres was free for {{ printf "%.0f" $value }} requests.',
        ),
        Alert(
            "BackendFiguresMissing",
            "warning",
            "backend",
            "none",
            'absent(up{job="backend"} == 1) and on() haproxy_backend_active_servers{proxy="backends"} > 0',
            f"No backend shows its figures at {settings.monitoring.backend_metrics}.",
            windows.hold(2 * MINUTE),
        ),
    ]
