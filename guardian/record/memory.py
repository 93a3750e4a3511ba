"""What the guardian remembers: made of the journal's entries, one by one, live and after a restart alike."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from guardian.alerts import Alert, alert
from guardian.record.entries import Entry, Kind, Outcome

# A container that dies so soon after it was told to has not died by itself.
ASKED_SECONDS = 120.0
_KEPT = 200
# What people want to read: what was decided and done, and whom that was told.
_TOLD_KINDS = frozenset({Kind.ACTION, Kind.DECISION, Kind.PAGE})
_TOLD_ENTRIES = 40
# What makes the engine tell of a stop or a start that nobody else has asked for.
_OF_CONTAINERS = frozenset({"start", "restart"})
_T = TypeVar("_T")


@dataclass(frozen=True)
class Acted:
    """Something that was done to a container. Nothing is done to it again before `not_before`."""

    at: float
    component: str
    container: str
    about: str
    not_before: float


class Memory:
    """Read by the policy, changed by `apply` alone."""

    def __init__(self) -> None:
        self.acted: list[Acted] = []
        self.actions: Counter[str] = Counter()
        """By service, how often something was done: all that the journal has, which `acted` has not."""
        self.alerts: dict[str, Alert] = {}
        self.told_at: dict[str, float] = {}
        """By an alert's fingerprint, when Alertmanager last said that it fires."""
        self.stopped: set[str] = set()
        """Names of containers that somebody has asked to stop."""
        self.deaths: dict[str, list[float]] = defaultdict(list)
        """By container's name, when it has died by itself."""
        self.given_up: dict[str, float] = {}
        """Services and containers that nothing is done to any more, and since when."""
        self.told: dict[str, float] = {}
        """By what it is about, when a page or an investigation was last made."""
        self.unsent: dict[str, Entry] = {}
        """By what they are about, pages that have reached nobody yet."""
        self.decided: dict[str, str] = {}
        """By what it is about, the last decision, so that the journal has it once."""
        self.reported: dict[str, float] = {}
        self.recent: deque[Entry] = deque(maxlen=_TOLD_ENTRIES)
        """The newest entries on what was decided, done and told, the oldest first."""
        self.watchdog_at = 0.0
        self.heard_at = 0.0
        """When the last event happened that was written down."""
        self._asked: dict[str, float] = {}
        self._own: set[str] = set()

    def apply(self, added: Entry) -> None:
        """Take an entry in."""
        if added.kind in _TOLD_KINDS:
            self.recent.append(added)
        match added.kind:
            case Kind.ACTION:
                self._apply_action(added)
            case Kind.EVENT:
                self._apply_event(added)
            case Kind.ALERT:
                self._apply_alert(added)
            case Kind.DECISION:
                self._apply_decision(added)
            case Kind.PAGE:
                self._apply_page(added)
            case Kind.REPORT:
                self.reported[added.what] = added.at

    def fires_still(self, fingerprint: str, at: float) -> None:
        """An alert was told of again: nothing to write down."""
        self.told_at[fingerprint] = at

    def watchdog_came(self, at: float) -> None:
        """The Watchdog fires still: it comes twice a minute, and a restart begins to wait anew."""
        self.watchdog_at = at

    def silent_alerts(self, since: float) -> list[Alert]:
        """Alerts that were not told of again since a moment. Alertmanager does not say of one that it
        holds back by now (an inhibition, a silence) that it does."""
        return [alert for name, alert in self.alerts.items() if self.told_at[name] < since]

    def actions_of(self, component: str, since: float) -> list[Acted]:
        """What was done to a service since a moment, the oldest first."""
        return [acted for acted in self.acted if acted.component == component and acted.at >= since]

    def actions_on(self, container: str, since: float) -> list[Acted]:
        """The same for one container."""
        return [acted for acted in self.acted if acted.container == container and acted.at >= since]

    def deaths_of(self, container: str, since: float) -> int:
        """How often a container has died by itself since a moment."""
        return sum(at >= since for at in self.deaths.get(container, ()))

    def forget_others(self, names: Iterable[str]) -> None:
        """Drop what is known of containers that are no more."""
        present = set(names)
        self.stopped &= present
        self._own &= present
        for known in (self.deaths, self._asked):
            for name in known.keys() - present:
                del known[name]

    def _apply_action(self, added: Entry) -> None:
        if added.outcome == Outcome.BEGUN:
            not_before = added.at + float(added.details.get("retry_in", 0))
            self.acted.append(Acted(added.at, added.component, added.container, added.about, not_before))
            del self.acted[:-_KEPT]
            self.actions[added.component] += 1
            if added.what in _OF_CONTAINERS:
                # The engine's own word on it comes a moment later.
                self._asked[added.container] = added.at
                self._own.add(added.container)
        elif added.what == "investigate":
            _keep(self.told, added.about, added.at)
        elif added.outcome == Outcome.FAILED:
            # The start that would have ended it may never come: the next stop is somebody's.
            self._own.discard(added.container)

    def _apply_page(self, added: Entry) -> None:
        _keep(self.told, added.about, added.at)
        if added.outcome == Outcome.NOT_SENT:
            _keep(self.unsent, added.about, added)
        else:
            self.unsent.pop(added.about, None)

    def _apply_event(self, added: Entry) -> None:
        name = added.container
        self.heard_at = max(self.heard_at, added.at)
        if added.what == "start":
            self.stopped.discard(name)
            self._own.discard(name)
            # What it dies of from now on is its own.
            self._asked.pop(name, None)
        elif added.what == "kill":
            self._asked[name] = added.at
        elif added.what == "stop" and name not in self._own:
            self.stopped.add(name)
        elif added.what == "die" and added.at - self._asked.get(name, -ASKED_SECONDS) >= ASKED_SECONDS:
            self.deaths[name].append(added.at)
            del self.deaths[name][:-_KEPT]

    def _apply_alert(self, added: Entry) -> None:
        if added.outcome == Outcome.FIRING:
            found = alert(added.details)
            self.alerts[found.fingerprint] = found
            self.told_at[found.fingerprint] = added.at
        else:
            self.alerts.pop(added.about, None)
            self.told_at.pop(added.about, None)

    def _apply_decision(self, added: Entry) -> None:
        if added.outcome == Outcome.GIVEN_UP:
            self.given_up[added.about] = added.at
        elif added.outcome == Outcome.RECOVERED:
            self.given_up.pop(added.about, None)
        _keep(self.decided, added.about, added.why)


def _keep(known: dict[str, _T], about: str, value: _T) -> None:
    """As the newest of not too many."""
    known.pop(about, None)
    known[about] = value
    while len(known) > _KEPT:
        del known[next(iter(known))]


def remembered(entries: Iterable[Entry]) -> Memory:
    """The memory that these entries make."""
    memory = Memory()
    for added in entries:
        memory.apply(added)
    return memory
