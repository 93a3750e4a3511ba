"""Who watches the watchers."""

from __future__ import annotations

from components.monitoring.rules.model import Alert, Group
from components.monitoring.rules.traffic import MINUTE
from components.monitoring.windows import Windows

WATCHDOG = "Watchdog"


def watch(windows: Windows) -> Group:
    """The alert that always fires, and those on alerts that reach nobody."""
    span = windows.span(5 * MINUTE)
    return Group(
        "watch",
        [
            Alert(
                WATCHDOG,
                "warning",
                "prometheus",
                "none",
                "vector(1)",
                "Always there: when it stops, alerts do not get through.",
            ),
            Alert(
                "NotificationsFailing",
                "warning",
                "alertmanager",
                "none",
                "sum by (receiver_name, integration)"
                f" (increase(alertmanager_notifications_failed_total[{span}])) > 0",
                "Alerts do not reach the receiver {{ $labels.receiver_name }} by {{ $labels.integration }}.",
            ),
            Alert(
                "RulesFailing",
                "warning",
                "prometheus",
                "none",
                f"sum(increase(prometheus_rule_evaluation_failures_total[{span}])) > 0",
                "Prometheus cannot evaluate some of its rules.",
            ),
        ],
    )
