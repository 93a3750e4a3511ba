"""What is wrong, out of what is seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from guardian.alerts import PAGE, WATCHDOG, Action, Alert
from guardian.engine.containers import Container, Health
from guardian.policy.services import SERVICES
from guardian.policy.view import View
from guardian.record.memory import Memory
from guardian.settings import Settings

# So long the engine may go on telling of a health check that was made before a pause.
STALE_SECONDS = 10.0


class Wrong(StrEnum):
    """Kinds of what can be wrong."""

    STOPPED = "stopped"
    UNHEALTHY = "unhealthy"
    CRASHING = "crashing"
    PAUSED = "paused"
    CUT_OFF = "cut off"
    ALERT = "alert"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. `about` is the same for as long as it lasts."""

    wrong: Wrong
    component: str
    why: str
    about: str
    container: Container | None = None
    alert: Alert | None = None


def problems(view: View, memory: Memory, settings: Settings) -> list[Problem]:
    """All of them: what others need first, containers before alerts."""
    found = [
        problem
        for component in SERVICES
        for item in view.of(component)
        if (problem := _of_container(item, view, memory, settings)) is not None
    ]
    return found + list(_of_alerts(view))


def _of_container(item: Container, view: View, memory: Memory, settings: Settings) -> Problem | None:
    def problem(wrong: Wrong, why: str) -> Problem:
        return Problem(wrong, item.component, why, f"{wrong}:{item.name}", item)

    # What its health check said before it was paused is not what it says now.
    goes_on = view.running_since.get(item.name, 0.0)
    deaths = memory.deaths_of(item.name, view.now - settings.budget_seconds)
    if deaths >= settings.budget_actions:
        why = f"it has died {deaths} times in {settings.budget_seconds / 60:g} min, last with {_death(item)}"
        return problem(Wrong.CRASHING, why)
    match item.state:
        case "paused":
            return problem(Wrong.PAUSED, "somebody has paused it")
        case "exited" | "dead" if item.name not in memory.stopped:
            return problem(Wrong.STOPPED, f"it does not run: {_death(item)}")
        case "running" if not item.addresses:
            return problem(Wrong.CUT_OFF, "it is on no network")
        case "running" if item.health is Health.UNHEALTHY and view.now - goes_on > STALE_SECONDS:
            return problem(Wrong.UNHEALTHY, "its health check fails")
    return None


def _of_alerts(view: View) -> Iterator[Problem]:
    for alert in sorted(view.alerts, key=lambda item: (not item.critical, item.name, item.fingerprint)):
        if alert.action is Action.NONE or alert.name in (WATCHDOG, PAGE):
            continue
        meant = next((item for item in view.containers if item.name == alert.container), None)
        if alert.container and meant is None:
            # It is no more, or never was of this stack.
            continue
        component = meant.component if meant else alert.component
        yield Problem(Wrong.ALERT, component, alert.summary or alert.name, alert.about, meant, alert)


def _death(item: Container) -> str:
    return "out of memory" if item.oom_killed else f"exit code {item.exit_code}"
