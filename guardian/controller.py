"""The guardian put together: its parts run beside each other until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time

import aiohttp
from aiohttp import web

from guardian.backends import Backends
from guardian.container_figures import ContainerFigures
from guardian.dashboard.pages import Pages
from guardian.dashboard.source import Source
from guardian.dead_mans_switch import keep_watch
from guardian.engine.client import EngineClient
from guardian.evidence import Evidence
from guardian.healer import Healer
from guardian.metrics import GuardianMetrics
from guardian.pager import Pager
from guardian.prometheus import Prometheus
from guardian.record.notebook import Notebook
from guardian.reports.history import History
from guardian.reports.reporter import Reporter
from guardian.server import HUNG_SECONDS, Server
from guardian.settings import Settings
from guardian.stack_watch import StackWatch

HUNG_EXIT_CODE = 70

log = logging.getLogger("guardian")


async def serve(settings: Settings) -> int:
    """Serve until cancelled. Raises OSError when its directory or its port cannot be used."""
    notebook = Notebook(settings.directory)
    async with aiohttp.ClientSession() as session:
        engine = EngineClient(settings.engine, session)
        backends = Backends(session, settings)
        watch = StackWatch(engine, backends, notebook.memory, settings)
        figures = ContainerFigures(engine, watch)
        pager = Pager(session, settings)
        prometheus = Prometheus(settings.prometheus, session)
        evidence = Evidence(engine, backends, prometheus, settings)
        healer = Healer(engine, backends, evidence, pager, notebook, watch, settings)
        history = History(settings.directory / "reports", settings.report_days)
        reporter = Reporter(backends, figures, notebook, history, watch, settings)
        metrics = GuardianMetrics(watch, figures, notebook)
        source = Source(watch, figures, notebook, prometheus, settings)
        application = Server(healer, reporter, notebook, metrics, source, settings).application()
        runners = [await listen(application, settings.port)]
        if settings.dashboard_port:
            pages = Pages(source, watch, engine, settings)
            runners.append(await listen(pages.application(), settings.dashboard_port))
        end_when_hung(healer)
        log.info("watching", extra={"stack": settings.stack, "alerts": len(notebook.memory.alerts)})
        try:
            async with asyncio.TaskGroup() as together:
                together.create_task(watch.follow(healer.heard))
                together.create_task(healer.run())
                together.create_task(figures.run())
                together.create_task(reporter.run())
                together.create_task(keep_watch(notebook, pager, settings))
        finally:
            await asyncio.gather(*(runner.cleanup() for runner in runners))
    return 0


async def listen(application: web.Application, port: int) -> web.AppRunner:
    """Serve on a port of the container's. Raises OSError."""
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - the container's own network
    return runner


def end_when_hung(healer: Healer) -> None:
    """End the process when its loop does not go round any more: its restart policy starts it again."""

    def watch() -> None:
        while True:
            time.sleep(HUNG_SECONDS / 10)
            if time.monotonic() - healer.beat > HUNG_SECONDS * 2:
                log.critical("the loop hangs: ending, to be started again")
                os._exit(HUNG_EXIT_CODE)

    threading.Thread(target=watch, name="hang watch", daemon=True).start()
