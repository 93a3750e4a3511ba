"""What clients get: errors, times, and what is left of the error budget."""

from __future__ import annotations

from components.monitoring.rules.model import SLOW_SECONDS, Action, Alert, Group, Recording, Rule, Severity
from components.monitoring.windows import Windows
from components.settings import StackSettings

# Answers of the gateway to clients, those that no backend gave among them.
ANSWERS = 'haproxy_frontend_http_responses_total{proxy="clients"}'
FAILED = 'haproxy_frontend_http_responses_total{proxy="clients",code="5xx"}'
DURATIONS = 'medianest_http_request_duration_seconds_bucket{job="backend"}'

MINUTE, HOUR = 60.0, 3600.0
LENGTHS = {"1m": MINUTE, "5m": 5 * MINUTE, "30m": 30 * MINUTE, "1h": HOUR, "6h": 6 * HOUR}
# By how much faster than evenly over 30 days the budget is used up, and over which windows.
# Source: https://sre.google/workbook/alerting-on-slos/, "Multiwindow, Multi-Burn-Rate Alerts"
FAST = (14.4, "1h", "5m")
SLOW = (6.0, "6h", "30m")

REQUESTS = "medianest:requests:increase5m"
P95 = "medianest:response_seconds:p95"


def error_ratio(length: str) -> str:
    """The name of the recorded share of failed requests in a window of LENGTHS."""
    return f"medianest:error_ratio:rate{length}"


def traffic(settings: StackSettings, windows: Windows) -> Group:
    """Alerts on errors, and on times where the backends tell of them."""
    monitoring = settings.monitoring
    alerts, judged = monitoring.alerts, _judged(settings)
    rules: list[Rule] = [
        Recording(REQUESTS, f"sum(increase({ANSWERS}[{windows.span(5 * MINUTE)}]))"),
        _error_ratio("5m", windows),
        _error_ratio("1m", windows),
        *(
            Alert(
                "ErrorRateHigh",
                severity,
                "backend",
                action,
                # The last minute too, so that it ends soon after the errors have.
                f"{error_ratio('5m')} * 100 > {level:g} and {error_ratio('1m')} * 100 > {level:g}{judged}",
                '{{ printf "%.1f" $value }} % of the requests fail.',
            )
            for severity, action, level in levels(
                "investigate", alerts.error_percent.warning, "page", alerts.error_percent.critical
            )
        ),
    ]
    if monitoring.backend_metrics:
        rules += [
            Recording(
                P95,
                f"histogram_quantile(0.95, sum by (le) (rate({DURATIONS}[{windows.span(5 * MINUTE)}])))",
            ),
            *(
                Alert(
                    "ResponseTimeHigh",
                    severity,
                    "backend",
                    action,
                    f"{P95} * 1000 > {level:g}{judged}",
                    'One request in twenty takes longer than {{ printf "%.0f" $value }} ms.',
                )
                for severity, action, level in levels(
                    "investigate", alerts.response_ms.warning, "investigate", alerts.response_ms.critical
                )
            ),
        ]
    return Group("traffic", rules)


def error_budget(settings: StackSettings, windows: Windows) -> Group:
    """Alerts on how fast the error budget is used up."""
    budget = 1 - settings.monitoring.alerts.objective_percent / 100
    judged = _judged(settings)
    return Group(
        "error-budget",
        [
            *(_error_ratio(length, windows) for length in ("30m", "1h", "6h")),
            _burn("critical", "page", FAST, budget, judged),
            _burn("warning", "investigate", SLOW, budget, judged),
        ],
        windows.pause(SLOW_SECONDS),
    )


def _judged(settings: StackSettings) -> str:
    return f" and on() {REQUESTS} >= {settings.monitoring.alerts.minimum_requests}"


def _error_ratio(length: str, windows: Windows) -> Recording:
    span = windows.span(LENGTHS[length])
    return Recording(error_ratio(length), f"sum(rate({FAILED}[{span}])) / sum(rate({ANSWERS}[{span}]))")


def levels(
    mild: Action, warning: float, grave: Action, critical: float
) -> list[tuple[Severity, Action, float]]:
    """Both levels of an alert, with what each leads to."""
    return [("warning", mild, warning), ("critical", grave, critical)]


def _burn(
    severity: Severity, action: Action, how: tuple[float, str, str], budget: float, judged: str
) -> Alert:
    factor, long, short = how
    level = f"{factor * budget:.6g}"
    return Alert(
        "ErrorBudgetBurn",
        severity,
        "backend",
        action,
        f"{error_ratio(long)} > {level} and {error_ratio(short)} > {level}{judged}",
        f"Errors use up the error budget of 30 days {factor:g} times too fast"
        f" ({{{{ $value | humanizePercentage }}}} of the requests failed in {long}).",
    )
