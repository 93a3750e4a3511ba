"""Which report is due."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from guardian.settings import Settings


class Report(StrEnum):
    """The kinds of reports."""

    MEMORY = "memory"
    HEALTH = "health"
    WORKERS = "workers"


def periods(settings: Settings) -> Mapping[Report, float]:
    """How often each is made, in seconds."""
    return {
        Report.MEMORY: settings.memory_report_seconds,
        Report.HEALTH: settings.health_report_seconds,
        Report.WORKERS: settings.workers_report_seconds,
    }


def due(every: Mapping[Report, float], made: Mapping[str, float], now: float) -> list[Report]:
    """Those that have not been made for their period, or never. One that was missed is made once."""
    return [report for report, period in every.items() if now - made.get(report, 0.0) >= period]


def next_in(every: Mapping[Report, float], made: Mapping[str, float], now: float) -> float:
    """Seconds until the next is due; 0 where one is."""
    return max(0.0, min(made.get(report, 0.0) + period - now for report, period in every.items()))
