"""Makes the document, once for all who look at the same moment."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from guardian.container_figures import ContainerFigures
from guardian.dashboard import figures, view
from guardian.dashboard.document import Document
from guardian.dashboard.figures import PrometheusFigures
from guardian.prometheus import Prometheus, PrometheusError
from guardian.record.notebook import Notebook
from guardian.settings import Settings
from guardian.stack_watch import StackWatch

_AGAIN_SECONDS = 5.0
_HISTORY_AGAIN_SECONDS = 10.0
# For the first figures after a while; while somebody looks on, nobody waits for Prometheus.
_PATIENCE_SECONDS = 1.0

log = logging.getLogger("dashboard")
Lines = Mapping[str, Sequence[float | None]]


class Source:
    """Asks Prometheus only while somebody looks, and keeps what it said last."""

    def __init__(
        self,
        watch: StackWatch,
        used: ContainerFigures,
        notebook: Notebook,
        prometheus: Prometheus,
        settings: Settings,
    ) -> None:
        self._watch = watch
        self._used = used
        self._notebook = notebook
        self._prometheus = prometheus
        self._stack = settings.stack
        self._figures = PrometheusFigures()
        self._asked_at = 0.0
        self._asking: asyncio.Task[None] | None = None
        self._lines: Lines = {}
        self._lines_at = 0.0
        self._lines_lock = asyncio.Lock()

    async def document(self) -> Document:
        """What there is to show now."""
        now = time.time()
        if self._asking is None and now - self._asked_at >= _AGAIN_SECONDS:
            self._asked_at = now
            self._asking = asyncio.create_task(self._ask())
        known = self._figures
        if self._asking is not None and not known.problem and now - known.at > view.FIGURES_STALE_SECONDS:
            await asyncio.wait({self._asking}, timeout=_PATIENCE_SECONDS)
        memory = self._notebook.memory
        seen = view.Seen(
            stack=self._stack,
            now=time.time(),
            view=self._watch.view,
            used=dict(self._used.latest),
            prometheus=self._figures,
            entries=tuple(memory.recent),
            given_up=tuple(memory.given_up),
        )
        return view.document(seen)

    async def history(self) -> Lines:
        """The lines of the last half hour, empty where there is no Prometheus that answers."""
        async with self._lines_lock:
            now = time.time()
            if now - self._lines_at >= _HISTORY_AGAIN_SECONDS:
                try:
                    self._lines = await figures.history(self._prometheus, now)
                except PrometheusError:
                    # The document says so.
                    self._lines = {}
                self._lines_at = now
            return self._lines

    async def _ask(self) -> None:
        try:
            self._figures = await figures.ask(self._prometheus, time.time())
        except PrometheusError as error:
            self._figures = replace(self._figures, problem=str(error))
        except Exception:
            log.critical("asking Prometheus has failed", exc_info=True)
            self._figures = replace(self._figures, problem="asking Prometheus has failed")
        finally:
            self._asking = None
