"""What a rule is, and how the rules of a stack are written down for Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from components.monitoring.windows import duration

Severity = Literal["warning", "critical"]
Action = Literal["none", "investigate", "restart", "restart-workers", "page"]

# Between two evaluations of what changes slowly: windows of hours cost more to read than they tell.
SLOW_SECONDS = 30.0
GUIDE = "docs/monitoring.md"


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
