"""What to do about a problem: the rules, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from guardian.alerts import Action, Alert
from guardian.engine.containers import Container
from guardian.policy import restraint
from guardian.policy.problems import Problem, Wrong
from guardian.policy.services import SERVICES
from guardian.policy.view import View
from guardian.record.memory import Memory
from guardian.settings import Settings


class Do(StrEnum):
    """What is done."""

    START = "start"
    RESTART = "restart"
    RESTART_WORKERS = "restart-workers"
    INVESTIGATE = "investigate"
    PAGE = "page"
    GIVE_UP = "give up"
    WAIT = "wait"
    LEAVE = "leave"


# They change something that runs.
CHANGES = frozenset({Do.START, Do.RESTART, Do.RESTART_WORKERS})


@dataclass(frozen=True)
class Decision:
    """What to do about a problem, to which container, and why.

    `stop_seconds` is how long the container is given to stop. `about` of a GIVE_UP is what is given up.
    """

    do: Do
    problem: Problem
    why: str
    container: Container | None = None
    stop_seconds: int = 0
    about: str = ""


@dataclass(frozen=True)
class Case:
    """All that a rule may look at."""

    problem: Problem
    view: View
    memory: Memory
    settings: Settings

    def say(self, do: Do, why: str, container: Container | None = None, about: str = "") -> Decision:
        return Decision(do, self.problem, why, container or self.problem.container, about=about)


def decide(problem: Problem, view: View, memory: Memory, settings: Settings) -> Decision:
    """The first rule that has something to say decides."""
    case = Case(problem, view, memory, settings)
    for rule in RULES:
        if (decision := rule(case)) is not None:
            return decision
    return _act(case)


def _hands_off(case: Case) -> Decision | None:
    if case.view.deploying:
        return case.say(Do.WAIT, f"a deploy is going on: {case.view.deploying}")
    if case.view.stopped:
        return case.say(Do.LEAVE, "the stack is stopped")
    return None


def _only_tells(case: Case) -> Decision | None:
    """What nothing is changed for."""
    alert = case.problem.alert
    if case.problem.wrong is Wrong.PAUSED:
        return _once(case, Do.PAGE, f"{case.problem.why}: nothing is done to it but by who paused it")
    if case.problem.wrong is Wrong.CUT_OFF:
        return _once(case, Do.PAGE, f"{case.problem.why}, which no restart changes: docker network connect")
    if alert is None:
        return None
    if case.problem.component == "guardian":
        return case.say(Do.LEAVE, "the guardian is not the one to judge itself: the engine restarts it")
    if alert.action is Action.INVESTIGATE:
        return _once(case, Do.INVESTIGATE, case.problem.why)
    if alert.action is Action.PAGE:
        return _once(case, Do.PAGE, case.problem.why.rstrip(".") + _way_back(case))
    if case.problem.component not in SERVICES:
        return case.say(
            Do.LEAVE, f"{case.problem.component or 'what it is about'} is nothing that is healed here"
        )
    return None


def _dependency(case: Case) -> Decision | None:
    service = SERVICES[case.problem.component]
    down = [name for name in service.needs if case.view.down(name)]
    if down:
        return case.say(Do.WAIT, f"{' and '.join(down)} does not serve: that is healed first")
    alert = case.problem.alert
    # What does not answer may come back by itself when what it needs has.
    absent = case.problem.wrong is Wrong.UNHEALTHY or (alert is not None and alert.absence)
    ago = case.view.now - case.settings.settle_seconds
    back = [name for name in service.needs if case.view.well_since(name) > ago]
    if absent and back:
        return case.say(Do.WAIT, f"{' and '.join(back)} serves again since a moment ago")
    meant = [case.problem.container] if case.problem.container else case.view.of(case.problem.component)
    blamed = sorted({name for item in meant for name in case.view.missing(item)})
    if not blamed:
        return None
    why = f"it cannot reach {' and '.join(blamed)}, which serves"
    return _once(case, Do.PAGE, f"{why}: a restart does not mend a network")


def _given_up(case: Case) -> Decision | None:
    known = case.memory.given_up
    container = case.problem.container
    if case.problem.component in known or (container is not None and container.name in known):
        return case.say(Do.LEAVE, "it was given up: a person has to look")
    if case.problem.wrong is Wrong.CRASHING:
        assert container is not None
        return case.say(
            Do.GIVE_UP, f"{case.problem.why}: starting it again does not help", about=container.name
        )
    return None


RULES: tuple[Callable[[Case], Decision | None], ...] = (_hands_off, _only_tells, _dependency, _given_up)


def _act(case: Case) -> Decision:
    """Change something, unless restraint says otherwise."""
    alert, settings, now = case.problem.alert, case.settings, case.view.now
    do, target = _target(case)
    if target is None:
        return case.say(Do.WAIT, "it was done: waiting for the alert to end")
    if restraint.used_up(case.problem.component, now, case.memory, settings):
        minutes = f"{settings.budget_seconds / 60:g}"
        why = f"{case.problem.why}: {settings.budget_actions} actions in {minutes} min have not helped"
        return case.say(Do.GIVE_UP, why, about=case.problem.component)
    if restraint.waits_until(target.name, now, case.memory, settings) > now:
        return case.say(Do.WAIT, "something was done to it a moment ago")
    why, seconds = case.problem.why, target.stop_seconds
    service = SERVICES[case.problem.component]
    if alert is None:
        seconds = service.hung_seconds if service.hung_seconds is not None else seconds
    elif do is Do.RESTART and service.replicated:
        others = [item for item in case.view.of(target.component) if item.name != target.name]
        if not any(item.serves for item in others):
            if not alert.critical:
                return case.say(
                    Do.WAIT, "no other replica serves meanwhile, and it is a warning only", target
                )
            why += "; no other replica serves meanwhile: requests fail"
        elif not all(item.serves for item in others):
            return case.say(Do.WAIT, "another replica is not well: one at a time", target)
    return Decision(do, case.problem, why, target, seconds)


def _target(case: Case) -> tuple[Do, Container | None]:
    """What is done to whom. No container where all that are meant have had their turn."""
    problem, alert = case.problem, case.problem.alert
    if alert is None:
        return (Do.START if problem.wrong is Wrong.STOPPED else Do.RESTART), problem.container
    workers = alert.action is Action.RESTART_WORKERS and bool(case.settings.restart_workers)
    meant = [problem.container] if problem.container else case.view.of(problem.component)
    if alert.absence and not workers and (ailing := [item for item in meant if not item.serves]):
        # Those that are well have nothing to do with it.
        meant = ailing
    return (Do.RESTART_WORKERS if workers else Do.RESTART), next(
        (item for item in meant if _is_due(item, alert, case)), None
    )


def _is_due(item: Container, alert: Alert, case: Case) -> bool:
    """Whether a container has not had its turn since the alert began, or it is long ago."""
    if item.state != "running" or not item.addresses:
        return False
    acted = [acted.at for acted in case.memory.actions_on(item.name, 0.0) if acted.about == alert.about]
    last = max([item.started, *acted])
    long_ago = case.view.now - max(last, alert.starts_at) > case.settings.settle_seconds
    if alert.absence and item.serves:
        # What it says itself is believed first: the alert may be about another, or about a moment ago.
        return (
            case.view.now - case.view.well_since(item.component) > case.settings.settle_seconds and long_ago
        )
    return last < alert.starts_at or (alert.repeats and long_ago)


def _once(case: Case, do: Do, why: str) -> Decision:
    last = case.memory.told.get(case.problem.about)
    if last is not None and case.view.now - last < case.settings.page_again_seconds:
        return case.say(Do.LEAVE, f"{why} (told already)")
    return case.say(do, why)


def _way_back(case: Case) -> str:
    """For an alert on errors after a release: how to go back, which is never done by the guardian."""
    release, since = case.view.release_since
    age = case.view.now - since
    if (
        case.problem.component not in ("gateway", "backend")
        or not release
        or age > case.settings.rollback_seconds
    ):
        return ""
    back = f"./medianest rollback {case.settings.stack}"
    return f". Release {release} is {age / 60:.0f} min old; to go back: {back}"
