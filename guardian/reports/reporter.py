"""Makes the reports when they are due."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from guardian.backends import BackendError, Backends
from guardian.container_figures import ContainerFigures
from guardian.engine.containers import Container
from guardian.policy.view import View
from guardian.record.entries import Kind, Outcome
from guardian.record.notebook import Notebook
from guardian.reports import contents
from guardian.reports.history import History
from guardian.reports.schedule import Report, due, next_in, periods
from guardian.settings import Settings
from guardian.stack_watch import StackWatch

_T = TypeVar("_T")

log = logging.getLogger("reports")


@dataclass(frozen=True)
class Reporter:
    """Each report is a line of its history, an entry of the journal and a line of the log."""

    backends: Backends
    figures: ContainerFigures
    notebook: Notebook
    history: History
    watch: StackWatch
    settings: Settings

    async def run(self) -> None:
        """For ever."""
        every = periods(self.settings)
        while True:
            made = self.notebook.memory.reported
            await asyncio.sleep(max(0.5, next_in(every, made, time.time())))
            view = self.watch.view
            if view is None:
                continue
            for report in due(every, made, time.time()):
                try:
                    await self.make(report, view)
                except Exception:
                    log.critical("a report failed", exc_info=True, extra={"report": report})
                    self.notebook.note(Kind.REPORT, report, Outcome.FAILED)

    async def make(self, report: Report, view: View) -> Mapping[str, Any]:
        """Make one report of what is seen. Returns it as its history has it. Raises OSError."""
        content = await self._content(report, view)
        made = self.history.add(report, time.time(), content)
        said = contents.summary(report, content)
        healthy = bool(content.get("healthy", True))
        log.log(logging.INFO if healthy else logging.CRITICAL, "%s: %s", report, said)
        self.notebook.note(Kind.REPORT, report, Outcome.DONE if healthy else Outcome.FAILED, why=said)
        return made

    async def _content(self, report: Report, view: View) -> dict[str, Any]:
        if report is Report.MEMORY:
            return contents.memory(view, self.figures.latest)
        if report is Report.HEALTH:
            return contents.health(view, await self._of_each(view, self.backends.report))
        texts = await self._of_each(view, self.backends.metrics)
        return contents.workers({name: text for name, text in texts.items() if isinstance(text, str)})

    async def _of_each(self, view: View, ask: Callable[[Container], Awaitable[_T]]) -> dict[str, _T | str]:
        """What each running replica answers, or why it does not."""

        async def one(item: Container) -> _T | str:
            try:
                return await ask(item)
            except BackendError as error:
                return str(error)

        running = [item for item in view.of("backend") if item.state == "running"]
        answers = await asyncio.gather(*(one(item) for item in running))
        return {item.name: answer for item, answer in zip(running, answers, strict=True)}
