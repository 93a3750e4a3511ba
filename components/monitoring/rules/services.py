"""Whether every part of a stack is there."""

from __future__ import annotations

from components.monitoring.rules.model import Action, Alert, Group, Severity
from components.monitoring.scraping import ASIDE_SECONDS, PROBE_SECONDS
from components.monitoring.windows import Windows
from components.settings import StackSettings

# Looked at more often than the rest: a part that is gone has to be told of within 15 s.
SECONDS = 2.0
ACTIVE = 'haproxy_backend_active_servers{proxy="backends"}'
# Postgres accepts connections of the exporter and never answers, so that it does not answer either.
HANGING = (
    'up{job="postgres-exporter"} == 0'
    f' and scrape_duration_seconds{{job="postgres-exporter"}} > {0.8 * PROBE_SECONDS:g}'
)
# It answers, and does not see the stack. Before it has seen it for the first time, it began to wait with
# its process. Not scaled: it looks every five seconds in any stack.
BLIND_SECONDS = 120
BLIND = (
    '(time() - (medianest_guardian_last_look_seconds{job="guardian"} > 0'
    f' or process_start_time_seconds{{job="guardian"}})) > {BLIND_SECONDS}'
)


def services(settings: StackSettings, windows: Windows) -> Group:
    """Alerts on parts that do not answer. What a part says of itself holds at once; what a failed
    reading says has to be said twice."""
    said, failed = windows.hold(2), windows.hold(5)
    replicas, restarts = settings.backend.replicas, settings.monitoring.alerts.restarts
    return Group(
        "services",
        [
            Alert(
                "ServiceDown",
                "critical",
                "gateway",
                "restart",
                'up{job="gateway"} == 0',
                "The gateway does not answer.",
                failed,
            ),
            Alert(
                "ServiceDown",
                "critical",
                "backend",
                "restart",
                f"{ACTIVE} == 0",
                "No backend is ready: every request gets a 503.",
                said,
            ),
            Alert(
                "ServiceDown",
                "critical",
                "postgres",
                "restart",
                f"pg_up == 0 or ({HANGING})",
                "Postgres does not answer.",
                said,
            ),
            Alert(
                "ServiceDown",
                "critical",
                "redis",
                "restart",
                "redis_up == 0",
                "Redis does not answer.",
                said,
            ),
            Alert(
                "ServiceDown",
                "critical",
                "guardian",
                "page",
                f'up{{job="guardian"}} == 0 or {BLIND}',
                "The guardian {{ if eq $value 0.0 }}does not answer{{ else }}has not seen the engine for"
                ' {{ printf "%.0f" $value }} s{{ end }}: nothing heals by itself.',
                windows.hold(10),
            ),
            Alert(
                "ServiceDown",
                "warning",
                "{{ $labels.job }}",
                "restart",
                f'up{{job=~"alertmanager|node-exporter|postgres-exporter|redis-exporter"}} == 0'
                f" unless ({HANGING})",
                "{{ $labels.job }} does not answer.",
                windows.hold(2 * ASIDE_SECONDS),
            ),
            Alert(
                "BackendReplicaMissing",
                "warning",
                "backend",
                "restart",
                f"{ACTIVE} < {replicas} and {ACTIVE} > 0",
                f"{{{{ $value }}}} of {replicas} backends are ready.",
                failed,
            ),
            _restart_loop("warning", "investigate", restarts.warning, windows),
            _restart_loop("critical", "page", restarts.critical, windows),
        ],
        SECONDS,
    )


def _restart_loop(severity: Severity, action: Action, level: float, windows: Windows) -> Alert:
    return Alert(
        "ContainerRestartLoop",
        severity,
        "{{ $labels.component }}",
        action,
        # Half a restart less, since `increase` extrapolates.
        f"increase(medianest_container_restarts_total[{windows.span(900)}]) > {level - 0.5:g}",
        '{{ $labels.container }} was restarted {{ printf "%.0f" $value }} times in 15 minutes.',
        container=True,
    )
