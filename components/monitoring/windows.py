"""Lengths of time, in the words of Prometheus and of Alertmanager."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Windows:
    """Lengths of time in Prometheus' words, shrunk by `scale` where a test wants conditions in seconds."""

    scale: float
    scrape_seconds: float

    def span(self, seconds: float) -> str:
        """A window to look back over. It always holds a few readings."""
        return duration(max(seconds * self.scale, 4 * self.scrape_seconds))

    def hold(self, seconds: float) -> str:
        """How long a condition has to hold before its alert fires."""
        return duration(seconds * self.scale)

    def pause(self, seconds: float) -> float:
        """Between two evaluations, in seconds, where the usual is more often than is of use."""
        return max(seconds * self.scale, self.scrape_seconds)

    def ahead(self, seconds: float) -> float:
        """How far a trend is followed, in seconds."""
        return seconds * self.scale


def duration(seconds: float) -> str:
    """Seconds as Prometheus writes them.

    Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/, <duration>
    """
    return f"{round(seconds * 1000)}ms"
