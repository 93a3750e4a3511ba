"""Since when nobody has asked an environment anything but how it is."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ops.env import sleep
from ops.errors import OperationError

if TYPE_CHECKING:
    from docker import APIClient

    from ops.env.survey import Seen
    from ops.session import Session


def idle_since_of(session: Session, api: APIClient, seen: Seen) -> datetime | None:
    """None for one that does not run, or is somebody else's."""
    gateways = seen.parts.get("gateway") or ()
    return sleep.idle_since(api, gateways, probes(session, seen.lease.stack, seen.lease.base))


def probes(session: Session, stack: str, base: str) -> set[str]:
    """Paths of health, by the settings of the environment, else of its base, else the default ones."""
    from components.settings import BackendSettings
    from ops.project import load_settings

    health = BackendSettings().health
    for name in (stack, base):
        if session.project.settings_file(name).exists():
            try:
                health = load_settings(session.project, name).backend.health
                break
            except OperationError:
                continue
    return {health.live, health.ready, health.report}
