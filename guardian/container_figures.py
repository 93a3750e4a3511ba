"""What the containers use, as the engine counts it: asked in turn, kept until it is asked for."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from guardian.engine.client import EngineClient, EngineError
from guardian.engine.containers import Document
from guardian.stack_watch import StackWatch

log = logging.getLogger("guardian")


@dataclass(frozen=True)
class Figures:
    """Of one container at one moment. Memory is without the page cache, which the kernel takes back.

    `cores` is how much of the processor it used since the figures before these, None where there are none.
    """

    at: float
    memory_bytes: int
    cpu_seconds: float
    processes: int
    cores: float | None = None


def figures(document: Document, at: float, before: Figures | None = None) -> Figures | None:
    """Out of the engine's statistics; None for a container that does not run. `before` are those of the
    same container that were taken last.

    Source of the rule on memory: docs.docker.com/reference/cli/docker/container/stats/
    """
    memory = document.get("memory_stats") or {}
    if "usage" not in memory:
        return None
    details = memory.get("stats") or {}
    # Version 1 of control groups calls it total_inactive_file, version 2 inactive_file.
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    usage = memory["usage"]
    used = document["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
    return Figures(
        at=at,
        memory_bytes=usage - cache if cache < usage else usage,
        cpu_seconds=used,
        processes=(document.get("pids_stats") or {}).get("current", 0),
        # One that was restarted counts from nothing again.
        cores=(used - before.cpu_seconds) / (at - before.at)
        if before is not None and used >= before.cpu_seconds and at > before.at
        else None,
    )


class ContainerFigures:
    """`latest` has the newest figures by the container's id."""

    def __init__(self, engine: EngineClient, watch: StackWatch, every_seconds: float = 5.0) -> None:
        self._engine = engine
        self._watch = watch
        self._every = every_seconds
        self.latest: dict[str, Figures] = {}

    async def run(self) -> None:
        """For ever, one container after the other, so that the engine is never asked for many at once."""
        while True:
            view = self._watch.view
            running = [item.id for item in view.containers if item.state == "running"] if view else []
            for gone in self.latest.keys() - set(running):
                del self.latest[gone]
            for identifier in running:
                await self._take(identifier)
                await asyncio.sleep(self._every / (len(running) + 1))
            await asyncio.sleep(self._every / (len(running) + 1))

    async def _take(self, identifier: str) -> None:
        try:
            document = await self._engine.stats(identifier)
            found = figures(document, time.time(), self.latest.get(identifier))
        except (EngineError, KeyError, ValueError):
            # It has ended meanwhile, or the engine does not answer, which others tell of.
            found = None
        if found is None:
            self.latest.pop(identifier, None)
        else:
            self.latest[identifier] = found
