"""Stacks as the guardian sees them, for tables of cases."""

from __future__ import annotations

from typing import Any

from guardian.alerts import Action, Alert
from guardian.engine.containers import Container, Health
from guardian.policy.view import View
from guardian.record.entries import Entry, Kind, Outcome
from guardian.record.memory import Memory
from guardian.settings import Settings

NOW = 1_000_000.0
LONG_AGO = NOW - 100_000
SETTINGS = Settings("staging", "owner", restart_workers="/internal/workers/restart")
ADDRESS = {"data": "10.0.0.2"}


def item(name: str, **changes: Any) -> Container:
    """A container that is well. Its component is its name without the number."""
    component = name.rstrip("0123456789").rstrip("-")
    known: dict[str, Any] = {
        "id": f"id-{name}",
        "name": name,
        "component": component,
        "created": LONG_AGO,
        "started": LONG_AGO,
        "addresses": ADDRESS,
        "release": "r1" if component == "backend" else "",
        "stop_seconds": 15,
    }
    return Container(**{**known, **changes})


NAMES = ("gateway", "backend-0", "backend-1", "postgres", "redis", "prometheus", "redis-exporter", "guardian")


def stack(**changes: Any) -> list[Container]:
    """A whole stack that is well, but for what is said of a container: backend_0={"state": "exited"}."""
    return [item(name, **changes.get(name.replace("-", "_"), {})) for name in NAMES]


def view(
    *alerts: Alert,
    now: float = NOW,
    deploying: str = "",
    blames: Any = None,
    running_since: Any = None,
    serving_since: Any = None,
    **changes: Any,
) -> View:
    since = (running_since or {}, serving_since or {})
    return View(now, stack(**changes), alerts, deploying, blames or {}, *since)


def alert(name: str = "BackendMemoryHigh", action: Action = Action.RESTART, **changes: Any) -> Alert:
    """One that began ten seconds ago."""
    known: dict[str, Any] = {"component": "backend", "summary": f"{name} fires", "starts_at": NOW - 10}
    return Alert(changes.pop("fingerprint", f"f-{name}"), name, **{**known, "action": action, **changes})


def acted(name: str, ago: float, *, retry_in: float = 10.0, about: str = "") -> Entry:
    component = item(name).component
    details = {"retry_in": retry_in}
    return Entry(
        NOW - ago, Kind.ACTION, "restart", Outcome.BEGUN, component, name, about=about, details=details
    )


def happened(name: str, what: str, ago: float) -> Entry:
    return Entry(NOW - ago, Kind.EVENT, what, component=item(name).component, container=name)


def memory(*entries: Entry) -> Memory:
    known = Memory()
    for entry in entries:
        known.apply(entry)
    return known


EXITED = {"state": "exited", "exit_code": 137}
UNHEALTHY = {"health": Health.UNHEALTHY}
