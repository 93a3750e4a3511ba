"""What clients get: errors, times, and what is left of the error budget."""

from __future__ import annotations

from components.monitoring.rules.model import Action, Alert, Group, Recording, Rule, Severity, Windows
from components.settings import StackSettings

# Answers of the gateway to clients, those that no backend gave among them.
ANSWERS = 'haproxy_frontend_http_responses_total{proxy="clients"}'
FAILED = 'haproxy_frontend_http_responses_total{proxy="clients",code="5xx"}'
DURATIONS = 'medianest_http_request_duration_seconds_bucket{job="backend"}'

MINUTE, HOUR = 60.0, 3600.0
LENGTHS = {"5m": 5 * MINUTE, "30m": 30 * MINUTE, "1h": HOUR, "6h": 6 * HOUR}
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
    alerts, budget = monitoring.alerts, 1 - monitoring.alerts.objective_percent / 100
    judged = f" and on() {REQUESTS} >= {alerts.minimum_requests}"
    rules: list[Rule] = [
        Recording(REQUESTS, f"sum(increase({ANSWERS}[{windows.span(5 * MINUTE)}]))"),
        *(
            Recording(
                error_ratio(name),
                f"sum(rate({FAILED}[{windows.span(length)}])) / sum(rate({ANSWERS}[{windows.span(length)}]))",
            )
            for name, length in LENGTHS.items()
        ),
        *(
            Alert(
                "ErrorRateHigh",
                severity,
                "backend",
                action,
                f"{error_ratio('5m')} * 100 > {level:g}{judged}",
                '{{ printf "%.1f" $value }} % of the requests fail.',
            )
            for severity, action, level in levels(
                "investigate", alerts.error_percent.warning, "page", alerts.error_percent.critical
            )
        ),
        _burn("critical", "page", FAST, budget, judged),
        _burn("warning", "investigate", SLOW, budget, judged),
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
