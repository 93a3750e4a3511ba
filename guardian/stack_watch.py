"""Keeps the view of the stack up to date: what the engine lists, what backends say, what fires."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from guardian.backends import Backends
from guardian.engine.client import EngineClient, EngineError, Event
from guardian.engine.containers import Container, container, fingerprint, never_runs
from guardian.policy.view import View
from guardian.record.memory import Memory
from guardian.settings import Settings

# An update that has put a new release beside the former one has no reason to take longer.
_TWO_RELEASES_SECONDS = 600.0
# What no event told of is seen all the same.
_INSPECTED_AGAIN_SECONDS = 60.0
_RECONNECT_SECONDS = (0.5, 10.0)
# What was seen so long ago tells nothing of now.
STALE_SECONDS = 120.0

log = logging.getLogger("guardian")


class StackWatch:
    """Looks at the stack, and listens to its events."""

    def __init__(self, engine: EngineClient, backends: Backends, memory: Memory, settings: Settings) -> None:
        self._engine = engine
        self._backends = backends
        self._memory = memory
        self._settings = settings
        self._seen: dict[str, Container] = {}
        self._running_since: dict[str, float] = {}
        self._serving_since: dict[str, float] = {}
        self._known: dict[str, tuple[tuple[str, ...], float, Container]] = {}
        self.view: View | None = None
        """What was seen last, None before the first look."""

    async def look(self) -> View:
        """See what there is now. Raises EngineError."""
        now = time.time()
        listed = [item for item in await self._engine.listed() if not never_runs(item)]
        marks = await self._engine.deploys()
        containers = [await self._container(item["Id"], fingerprint(item), now) for item in listed]
        for gone in self._known.keys() - {item["Id"] for item in listed}:
            del self._known[gone]
        alerts = tuple(self._memory.alerts.values())
        self._notice_changes(containers, now)
        update = deploying(now, marks, containers, self._settings)
        blames = await self._blames(View(now, containers))
        since = (dict(self._running_since), dict(self._serving_since))
        self.view = View(now, containers, alerts, update, blames, *since)
        return self.view

    @property
    def fresh(self) -> View | None:
        """What was seen last, None when that is too long ago to tell of now."""
        known = self.view
        return known if known is not None and time.time() - known.now < STALE_SECONDS else None

    async def follow(self, heard: Callable[[Event], None]) -> None:
        """Hand over every event, for ever. What happened while nobody listened is handed over too, as far
        as the engine remembers."""
        since = max(time.time() - self._settings.budget_seconds, self._memory.heard_at)
        pause, longest = _RECONNECT_SECONDS
        while True:
            try:
                async for event in self._engine.events(since):
                    pause = _RECONNECT_SECONDS[0]
                    if event.at > since:
                        since = event.at
                        self._known.pop(event.id, None)
                        heard(event)
            except EngineError as error:
                log.warning("no events: %s", error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)

    def _notice_changes(self, containers: Sequence[Container], now: float) -> None:
        """Note when a container goes on, and when it gets well. What was there before the first look has
        done so long ago."""
        seen = {item.name: item for item in containers}
        for name, item in seen.items():
            former = self._seen.get(name)
            if former is not None and former.state != "running" and item.state == "running":
                self._running_since[name] = now
            if former is not None and item.serves and not former.serves:
                self._serving_since[name] = now
        for since in (self._running_since, self._serving_since):
            for gone in since.keys() - seen.keys():
                del since[gone]
        self._seen = seen

    async def _container(self, identifier: str, seen: tuple[str, ...], now: float) -> Container:
        """Looked at closely only when something has changed."""
        known = self._known.get(identifier)
        if known is not None and known[0] == seen and now - known[1] < _INSPECTED_AGAIN_SECONDS:
            return known[2]
        found = container(await self._engine.inspect(identifier))
        self._known[identifier] = (seen, now, found)
        return found

    async def _blames(self, view: View) -> Mapping[str, Sequence[str]]:
        """What backends that are not well say that they lack."""
        ailing = [item for item in view.of("backend") if item.state == "running" and not item.serves]
        answers = await asyncio.gather(*(self._backends.lacks(item) for item in ailing))
        return {item.name: lacking for item, lacking in zip(ailing, answers, strict=True)}


def deploying(now: float, marks: Sequence[float], containers: Sequence[Container], settings: Settings) -> str:
    """What update is under way, as its mark or two releases beside each other say; empty for none."""
    if any(now - since < settings.deploy_seconds for since in marks):
        return "`up` has marked it"
    backends = [item for item in containers if item.component == "backend" and item.state == "running"]
    newest = max((item.created for item in backends), default=0.0)
    if len({item.release for item in backends}) > 1 and now - newest < _TWO_RELEASES_SECONDS:
        return "two releases run beside each other"
    return ""
