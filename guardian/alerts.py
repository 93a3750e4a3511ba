"""Alerts, as Alertmanager tells of them (webhook, version 4).

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

# Fires always: its absence tells that Prometheus or Alertmanager does not work.
WATCHDOG = "Watchdog"
# What the guardian itself posts, so that the team's receivers get it.
PAGE = "GuardianPage"


class Action(StrEnum):
    """What an alert asks for, by its label `action`."""

    NONE = "none"
    INVESTIGATE = "investigate"
    RESTART = "restart"
    RESTART_WORKERS = "restart-workers"
    PAGE = "page"


class AlertsError(ValueError):
    """A body that is not a notification of alerts."""


@dataclass(frozen=True)
class Alert:
    """One alert that fires. `container` is the name of the one that is meant, empty where it is none."""

    fingerprint: str
    name: str
    component: str
    severity: str = "warning"
    action: Action = Action.NONE
    container: str = ""
    summary: str = ""
    runbook: str = ""
    starts_at: float = 0.0

    @property
    def critical(self) -> bool:
        return self.severity == "critical"

    @property
    def trend(self) -> bool:
        """Whether it tells of what is going to happen, not of what has."""
        return self.name.endswith("Trend")

    @property
    def absence(self) -> bool:
        """Whether it tells that something does not answer, which can be seen of its container too."""
        return self.name.endswith(("Down", "Missing"))

    @property
    def repeats(self) -> bool:
        """Whether it ends soon after what it asks for has helped, so that more is worth while if it does
        not. A trend, and failures that are counted over an hour, do not."""
        return self.action is Action.RESTART and not self.trend

    @property
    def about(self) -> str:
        """The same for as long as the alert fires, and another when it fires again."""
        return f"{self.name}:{self.fingerprint}:{self.starts_at:.0f}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Notification:
    """What one request of Alertmanager's tells."""

    firing: Sequence[Alert]
    resolved: Sequence[Alert]


def notification(document: object) -> Notification:
    """Raises AlertsError. An unknown action counts as none, so that newer rules do no harm."""
    if not isinstance(document, Mapping) or not isinstance(document.get("alerts"), list):
        raise AlertsError("the body must be an object with a list `alerts`")
    firing: list[Alert] = []
    resolved: list[Alert] = []
    for item in document["alerts"]:
        if not isinstance(item, Mapping) or not isinstance(item.get("labels"), Mapping):
            raise AlertsError("each alert must be an object with `labels`")
        (resolved if item.get("status") == "resolved" else firing).append(_alert(item))
    return Notification(firing, resolved)


def alert(document: Mapping[str, Any]) -> Alert:
    """An alert as `as_json` writes it."""
    return Alert(**{**document, "action": Action(document["action"])})


def _alert(item: Mapping[str, Any]) -> Alert:
    labels: Mapping[str, str] = item["labels"]
    annotations: Mapping[str, str] = item.get("annotations") or {}
    name = str(labels.get("alertname", ""))
    if not name:
        raise AlertsError("each alert must have the label alertname")
    action = str(labels.get("action", Action.NONE))
    return Alert(
        fingerprint=str(item.get("fingerprint") or "|".join(f"{k}={labels[k]}" for k in sorted(labels))),
        name=name,
        component=str(labels.get("component", "")),
        severity=str(labels.get("severity", "warning")),
        action=Action(action) if action in list(Action) else Action.NONE,
        container=str(labels.get("instance_container", "")),
        summary=str(annotations.get("summary", ""))[:500],
        runbook=str(annotations.get("runbook", ""))[:200],
        starts_at=_moment(item.get("startsAt")),
    )


def _moment(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        raise AlertsError("startsAt must be a moment (RFC 3339)") from None
