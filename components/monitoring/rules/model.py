"""What a rule is, and how the rules of a stack are written down for Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["warning", "critical"]
Action = Literal["none", "investigate", "restart", "restart-workers", "page"]

GUIDE = "docs/monitoring.md"


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

    def ahead(self, seconds: float) -> float:
        """How far a trend is followed, in seconds."""
        return seconds * self.scale


def duration(seconds: float) -> str:
    """Seconds as Prometheus writes them.

    Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/, <duration>
    """
    return f"{round(seconds * 1000)}ms"


@dataclass(frozen=True)
class Alert:
    """One alert. `component` may be a template; `container` says that a label of that name tells which."""

    name: str
    severity: Severity
    component: str
    action: Action
    expression: str
    summary: str
    hold: str = "0ms"
    container: bool = False

    def document(self) -> dict[str, Any]:
        """As it stands in a file of rules."""
        labels: dict[str, str] = {
            "severity": self.severity,
            "component": self.component,
            "action": self.action,
        }
        if self.container:
            labels["instance_container"] = "{{ $labels.container }}"
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": self.hold,
            "labels": labels,
            "annotations": {"summary": self.summary, "runbook": f"{GUIDE}#{self.name.lower()}"},
        }


@dataclass(frozen=True)
class Recording:
    """A figure that several alerts and the dashboards need."""

    name: str
    expression: str
    labels: tuple[tuple[str, str], ...] = ()

    def document(self) -> dict[str, Any]:
        """As it stands in a file of rules."""
        document: dict[str, Any] = {"record": self.name, "expr": self.expression}
        return document | ({"labels": dict(self.labels)} if self.labels else {})


Rule = Alert | Recording


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated together, in their order; every `seconds`, where it is not the usual."""

    name: str
    rules: Sequence[Rule]
    seconds: float | None = None

    def document(self) -> dict[str, Any]:
        """As it stands in a file of rules."""
        document: dict[str, Any] = {"name": self.name}
        if self.seconds is not None:
            document["interval"] = duration(self.seconds)
        return document | {"rules": [rule.document() for rule in self.rules]}
