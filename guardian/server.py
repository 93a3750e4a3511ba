"""What the guardian answers inside the stack: alerts, its figures, its health, what it knows."""

from __future__ import annotations

import functools
import hmac
import json
import logging
import time

from aiohttp import web

from guardian.alerts import PAGE, WATCHDOG, Alert, AlertsError, notification
from guardian.dashboard.source import Source
from guardian.dashboard.view import as_json
from guardian.healer import Healer
from guardian.metrics import GuardianMetrics
from guardian.record.entries import Kind, Outcome
from guardian.record.notebook import Notebook
from guardian.reports.reporter import Reporter
from guardian.reports.schedule import Report
from guardian.settings import Settings, secret

LARGEST_BODY = 4 * 1024 * 1024
# A loop that has not gone round for so long hangs: it goes round while something is done, too.
HUNG_SECONDS = 120.0

log = logging.getLogger("guardian")
_dumps = functools.partial(json.dumps, default=str)


class Server:
    """The routes. The rest of the parts is handed over."""

    def __init__(
        self,
        healer: Healer,
        reporter: Reporter,
        notebook: Notebook,
        metrics: GuardianMetrics,
        source: Source,
        settings: Settings,
    ) -> None:
        self._healer = healer
        self._reporter = reporter
        self._notebook = notebook
        self._metrics = metrics
        self._source = source
        self._settings = settings

    def application(self) -> web.Application:
        application = web.Application(client_max_size=LARGEST_BODY)
        application.add_routes(
            [
                web.post("/alerts", self.alerts),
                web.post("/reports/{kind}", self.report),
                web.get("/metrics", self.metrics),
                web.get("/document", self.document),
                web.get("/health/live", self.live),
                web.get("/health/ready", self.ready),
            ]
        )
        return application

    async def alerts(self, request: web.Request) -> web.Response:
        """From Alertmanager, which tells again of what still fires."""
        if not self._known(request):
            return web.json_response({"error": "a bearer token is needed"}, status=401)
        try:
            told = notification(await request.json())
        except (AlertsError, ValueError) as error:
            return web.json_response({"error": str(error)[:200]}, status=400)
        for alert in told.firing:
            self._fires(alert)
        for alert in told.resolved:
            self._ends(alert)
        self._healer.wake()
        return web.json_response({"taken": len(told.firing) + len(told.resolved)})

    async def report(self, request: web.Request) -> web.Response:
        """Make a report now, beside those of the schedule, and answer with it."""
        if not self._known(request):
            return web.json_response({"error": "a bearer token is needed"}, status=401)
        try:
            kind = Report(request.match_info["kind"])
        except ValueError:
            return web.json_response({"error": "there is no such report"}, status=404)
        view = self._healer.watch.fresh
        if view is None:
            return web.json_response({"error": "the guardian has not seen the stack yet"}, status=503)
        return web.json_response(await self._reporter.make(kind, view), dumps=_dumps)

    async def document(self, request: web.Request) -> web.Response:
        """What the dashboard shows, for `python3 -m guardian document`."""
        if not self._known(request):
            return web.json_response({"error": "a bearer token is needed"}, status=401)
        return web.json_response(as_json(await self._source.document()))

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def live(self, _: web.Request) -> web.Response:
        """200 while the loop goes round."""
        age = time.monotonic() - self._healer.beat
        return web.json_response({"loop_seconds": round(age, 1)}, status=200 if age < HUNG_SECONDS else 503)

    async def ready(self, _: web.Request) -> web.Response:
        """200 when it has seen the stack a moment ago."""
        seen = self._healer.watch.fresh is not None
        return web.json_response({"seen": seen}, status=200 if seen else 503)

    def _known(self, request: web.Request) -> bool:
        token = secret(self._settings.token_file)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return (
            bool(token) and scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())
        )

    def _fires(self, alert: Alert) -> None:
        if alert.name == WATCHDOG:
            self._notebook.memory.watchdog_came(time.time())
            return
        if alert.name == PAGE:
            return
        known = self._notebook.memory.alerts.get(alert.fingerprint)
        if known is not None and known.about == alert.about:
            # Its figure changes all the time.
            self._notebook.memory.fires_still(alert.fingerprint, time.time())
            return
        self._alert(alert, Outcome.FIRING)

    def _ends(self, alert: Alert) -> None:
        if alert.fingerprint in self._notebook.memory.alerts:
            self._alert(alert, Outcome.RESOLVED)

    def _alert(self, alert: Alert, outcome: Outcome) -> None:
        log.info("alert %s %s", alert.name, outcome, extra={"why": alert.summary, "severity": alert.severity})
        self._notebook.note(
            Kind.ALERT,
            alert.name,
            outcome,
            component=alert.component,
            container=alert.container,
            why=alert.summary,
            about=alert.fingerprint,
            details=alert.as_json() if outcome is Outcome.FIRING else None,
        )
