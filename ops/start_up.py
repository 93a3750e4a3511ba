"""Watches the containers that an update starts, and ends the wait for those that cannot get healthy.

The docker provider waits for healthy alone: it does not notice that a container has exited. Removing
the container ends that wait at once, and what was known of it is kept for the error. A backend whose time is
up is removed at once too: the provider's wait ends with it, but its container would stay for as long as
Pulumi takes to end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from docker.errors import NotFound

from components import labels
from ops.engine import connect, label_filter, remove_container
from ops.evidence import ContainerEvidence, gather_evidence
from ops.names import short_name

# The component whose start-up is timed here: its health check says what the provider waits.
BACKEND = "backend"
LATE = "did not get healthy in time"
# One exit may be bad luck, which the restart policy mends. The second one is the release's own doing.
EXITS = 2


@dataclass
class StartUp:
    """Of one container that was created during the update."""

    started: bool = False
    exits: int = 0
    exit_code: int = 0
    healthy: bool = False
    verdict: str = ""


@dataclass
class StartUps:
    """The containers created since the watch began, folded from the engine's events.

    Source of the events: https://docs.docker.com/reference/api/engine/ (GET /events)
    """

    containers: dict[str, StartUp] = field(default_factory=dict)

    def apply(self, event: Mapping[str, Any]) -> str | None:
        """Take in one event. Returns the id of a container that has just turned out to be bad."""
        action, identifier = str(event.get("Action", "")), event.get("Actor", {}).get("ID", "")
        if action == "create":
            self.containers[identifier] = StartUp()
        container = self.containers.get(identifier)
        if container is None or container.verdict or container.healthy:
            return None
        if action == "start":
            container.started = True
        elif action == "die":
            container.exits += 1
            container.exit_code = int(event["Actor"].get("Attributes", {}).get("exitCode", 0))
            if container.exits >= EXITS:
                container.verdict = "exits as soon as it starts"
        elif action == "health_status: unhealthy":
            container.verdict = "runs, but its health check fails"
        elif action == "health_status: healthy":
            container.healthy = True
        return identifier if container.verdict else None

    def late(self) -> list[str]:
        """Ids of those that run and have not got healthy: the update's end is the end of their time."""
        return [
            identifier
            for identifier, container in self.containers.items()
            if container.started and not container.healthy and not container.verdict
        ]

    def out_of_time(self, identifier: str) -> bool:
        """The time of a container is up. Whether that is what makes it bad."""
        bad = identifier in self.late()
        if bad:
            self.containers[identifier].verdict = LATE
        return bad


class StartUpWatch:
    """Follows the engine's events beside an update. Use as a context.

    `evidence` has, by resource name, what was known of each container that was given up.
    """

    def __init__(
        self, environment: Mapping[str, str], project: str, stack: str, say: Callable[[str], None]
    ) -> None:
        self.evidence: dict[str, ContainerEvidence] = {}
        self._project, self._stack, self._say = project, stack, say
        self._start_ups = StartUps()
        # One connection waits for events, the other acts on them.
        self._events, self._api = connect(environment), connect(environment)
        self._stream: Any = None
        self._timers: list[threading.Timer] = []
        # Between the thread that follows events and those of the timers.
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name="start-up watch", daemon=True)

    def __enter__(self) -> StartUpWatch:
        self._stream = self._events.events(
            since=int(time.time()),
            filters={
                **label_filter(self._project, self._stack),
                "type": "container",
                "event": ["create", "start", "die", "health_status"],
            },
            decode=True,
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._events.close()
        self._api.close()

    def failed(self) -> None:
        """The update has failed: also give up what has not got healthy by now."""
        self._stop()
        for identifier in self._start_ups.late():
            self._time_is_up(identifier)

    def _stop(self) -> None:
        from docker.errors import DockerException

        try:
            self._stream.close()
        except DockerException:
            # Over SSH a stream ends with its connection alone.
            self._events.close()
        self._thread.join(timeout=5)
        for timer in self._timers:
            timer.cancel()
            timer.join(timeout=5)

    def _follow(self) -> None:
        for event in self._stream:
            with self._lock:
                bad = self._start_ups.apply(event)
                if bad:
                    self._give_up(bad, self._start_ups.containers[bad])
            if event["Action"] == "start" and event["Actor"]["Attributes"].get(labels.COMPONENT) == BACKEND:
                self._limit(event["Actor"]["ID"])

    def _limit(self, identifier: str) -> None:
        """Give it as long as the provider does: the start period of a backend's health check."""
        try:
            check = self._api.inspect_container(identifier)["Config"].get("Healthcheck") or {}
        except NotFound:
            return
        if not check.get("StartPeriod"):
            return
        timer = threading.Timer(check["StartPeriod"] / 1e9, self._time_is_up, [identifier])
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    def _time_is_up(self, identifier: str) -> None:
        with self._lock:
            if self._start_ups.out_of_time(identifier):
                self._give_up(identifier, self._start_ups.containers[identifier])

    def _give_up(self, identifier: str, container: StartUp) -> None:
        found = gather_evidence(self._api, identifier, container.verdict)
        if found is None:
            return
        name = short_name(found.name, self._project, self._stack)
        # The engine may have started it again already.
        self.evidence[name] = replace(found, exit_code=container.exit_code or found.exit_code)
        self._say(f"  ! {name} {container.verdict}: removing it")
        remove_container(self._api, identifier)
