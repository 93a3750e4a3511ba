"""The guardian with an engine and an Alertmanager on loopback: lost pages, long actions, old views."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from guardian import ask as beside
from guardian.backends import Backends
from guardian.container_figures import ContainerFigures
from guardian.dashboard.source import Source
from guardian.engine.client import EngineClient, EngineError
from guardian.engine.containers import Health
from guardian.evidence import Evidence
from guardian.healer import Healer
from guardian.metrics import GuardianMetrics
from guardian.pager import Pager
from guardian.prometheus import Prometheus
from guardian.record.entries import Kind, Outcome
from guardian.record.journal import Journal
from guardian.record.notebook import Notebook
from guardian.reports.history import History
from guardian.reports.reporter import Reporter
from guardian.server import Server
from guardian.stack_watch import StackWatch
from tests.unit.guardian.loopback import served
from tests.unit.guardian.stacks import SETTINGS, alert, view

LOOKS_MEANWHILE = 3


@dataclass
class Outside:
    """The engine, with one container, and Alertmanager."""

    looks: int = 0
    alertmanager_status: int = 200
    told: list[str] = field(default_factory=list)
    looked: asyncio.Event = field(default_factory=asyncio.Event)

    def application(self) -> web.Application:
        application = web.Application()
        application.add_routes(
            [
                web.get("/containers/json", self.listed),
                web.get("/volumes", self.volumes),
                web.get("/containers/{id}/json", self.inspected),
                web.get("/containers/{id}/logs", self.log),
                web.post("/containers/{id}/restart", self.restart),
                web.post("/api/v2/alerts", self.alerts),
            ]
        )
        return application

    async def listed(self, _: web.Request) -> web.Response:
        self.looks += 1
        self.looked.set()
        return web.json_response([{"Id": "1", "State": "running", "Status": "Up (healthy)"}])

    async def volumes(self, _: web.Request) -> web.Response:
        return web.json_response({"Volumes": None})

    async def inspected(self, _: web.Request) -> web.Response:
        return web.json_response(REDIS)

    async def log(self, _: web.Request) -> web.Response:
        return web.Response()

    async def restart(self, _: web.Request) -> web.Response:
        """Takes until the guardian has looked a few times: a drain of minutes."""
        until = self.looks + LOOKS_MEANWHILE
        while self.looks < until:
            self.looked.clear()
            try:
                await asyncio.wait_for(self.looked.wait(), 10)
            except TimeoutError:
                return web.Response(status=500)
        return web.Response(status=204)

    async def alerts(self, request: web.Request) -> web.Response:
        self.told += [told["annotations"]["summary"] for told in await request.json()]
        return web.Response(status=self.alertmanager_status)


REDIS: dict[str, Any] = {
    "Id": "1",
    "Name": "/redis",
    "Created": "2026-11-24T14:00:00Z",
    "State": {"Status": "running", "Health": {"Status": "healthy"}, "StartedAt": "2026-11-24T14:00:00Z"},
    "Config": {"Labels": {"medianest.component": "redis"}},
    "HostConfig": {},
    "NetworkSettings": {"Networks": {"data": {"IPAddress": "10.0.0.2"}}},
}


@asynccontextmanager
async def started(outside: Outside, directory: Path) -> AsyncIterator[Callable[[], Healer]]:
    """Makes guardians on one directory, as one that is restarted."""
    async with served(outside.application()) as url, aiohttp.ClientSession() as session:
        settings = replace(
            SETTINGS, directory=directory, engine=url, alertmanager=url, prometheus="", look_seconds=0.05
        )

        def make() -> Healer:
            engine, backends = EngineClient(url, session), Backends(session, settings)
            notebook = Notebook(directory)
            watch = StackWatch(engine, backends, notebook.memory, settings)
            evidence = Evidence(engine, backends, Prometheus("", session), settings)
            return Healer(engine, backends, evidence, Pager(session, settings), notebook, watch, settings)

        yield make


def source_of(healer: Healer, figures: ContainerFigures) -> Source:
    """What the dashboard reads, without a Prometheus."""
    prometheus = Prometheus("", healer.backends.session)
    return Source(healer.watch, figures, healer.notebook, prometheus, healer.settings)


def reporter_of(healer: Healer, directory: Path) -> Reporter:
    figures = ContainerFigures(healer.engine, healer.watch)
    history = History(directory / "reports", days=1)
    return Reporter(healer.backends, figures, healer.notebook, history, healer.watch, healer.settings)


def pages(directory: Path) -> list[str]:
    return [entry.outcome for entry in Journal(directory).read() if entry.kind is Kind.PAGE]


def test_a_lost_page_is_told_again_until_it_reaches_somebody(tmp_path: Path) -> None:
    async def run() -> None:
        outside = Outside(alertmanager_status=500)
        async with started(outside, tmp_path) as guardian:
            first = guardian()
            lost = {"page": "redis", "runbook": "docs/healing.md"}
            why = "staging: redis: it crashes"
            first.notebook.note(
                Kind.PAGE, "page", Outcome.NOT_SENT, at=60, why=why, about="crashing:redis", details=lost
            )
            await first.round()
            await first.round()
            late = f"{why} (noticed 1970-01-01 00:01 UTC: it could not be told before)"
            # Once a minute, and the journal does not fill with it.
            assert outside.told == [late]
            assert pages(tmp_path) == ["not sent"]
            outside.alertmanager_status = 200
            again = guardian()
            assert list(again.notebook.memory.unsent) == ["crashing:redis"]
            await again.round()
            assert outside.told == [late, late]
            assert again.notebook.memory.unsent == {}
            assert pages(tmp_path) == ["not sent", "sent"]
            assert not (tmp_path / "evidence").exists()
            third = guardian()
            await third.round()
            assert len(outside.told) == 2

    asyncio.run(run())


def test_the_loop_goes_round_while_an_action_takes_long(tmp_path: Path) -> None:
    async def run() -> None:
        outside = Outside()
        async with started(outside, tmp_path) as guardian:
            healer = guardian()
            fires = replace(alert(component="redis", container="redis"), starts_at=time.time())
            healer.notebook.note(
                Kind.ALERT, fires.name, Outcome.FIRING, about=fires.fingerprint, details=fires.as_json()
            )
            began = healer.beat
            assert await healer.round()
            assert outside.looks > LOOKS_MEANWHILE
            assert healer.beat > began
            actions = [entry.outcome for entry in Journal(tmp_path).read() if entry.kind is Kind.ACTION]
            assert actions == ["begun", "done"]

    asyncio.run(run())


def test_what_was_seen_long_ago_is_not_told_as_what_is(tmp_path: Path) -> None:
    async def run() -> None:
        async with started(Outside(), tmp_path) as guardian:
            healer = guardian()
            figures = ContainerFigures(healer.engine, healer.watch)
            metrics = GuardianMetrics(healer.watch, figures, healer.notebook)
            reporter = reporter_of(healer, tmp_path)
            server = Server(
                healer, reporter, healer.notebook, metrics, source_of(healer, figures), healer.settings
            )
            async with served(server.application()) as url, aiohttp.ClientSession() as session:
                for ago, expected in ((0, True), (60, True), (121, False)):
                    healer.watch.view = view(now=time.time() - ago)
                    async with session.get(f"{url}/metrics") as answer:
                        text = await answer.text()
                    seen = 'medianest_container_running{component="redis",container="redis"} 1.0' in text
                    async with session.get(f"{url}/health/ready") as answer:
                        assert (seen, answer.status == 200) == (expected, expected), ago
                    # When that was is what the alert goes by.
                    (last,) = re.findall(r"^medianest_guardian_last_look_seconds (.+)$", text, re.MULTILINE)
                    assert float(last) == healer.watch.view.now

    asyncio.run(run())


@pytest.mark.parametrize(
    ("health", "healthy"),
    [(Health.HEALTHY, 1), (Health.NONE, 1), (Health.STARTING, 0), (Health.UNHEALTHY, 0)],
)
def test_a_container_that_starts_is_not_healthy_yet(tmp_path: Path, health: Health, healthy: int) -> None:
    async def run() -> None:
        async with started(Outside(), tmp_path) as guardian:
            healer = guardian()
            healer.watch.view = view(now=time.time(), redis={"health": health})
            metrics = GuardianMetrics(
                healer.watch, ContainerFigures(healer.engine, healer.watch), healer.notebook
            )
            row = f'medianest_container_healthy{{component="redis",container="redis"}} {healthy}.0'
            assert row in metrics.text().decode()

    asyncio.run(run())


@pytest.mark.parametrize("body", ["", "<html>", '{"cut": '])
def test_an_answer_of_the_engine_that_is_no_json_is_its_failure(body: str) -> None:
    async def listed(_: web.Request) -> web.Response:
        return web.Response(text=body)

    async def run() -> None:
        application = web.Application()
        application.router.add_get("/containers/json", listed)
        async with served(application) as url, aiohttp.ClientSession() as session:
            with pytest.raises(EngineError, match="GET /containers/json: the answer is not JSON"):
                await EngineClient(url, session).listed()

    asyncio.run(run())


def test_a_report_is_made_when_somebody_with_the_token_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = tmp_path / "token"
    token.write_text("the-token-of-a-test")

    async def run() -> None:
        async with started(Outside(), tmp_path) as guardian:
            healer = guardian()
            settings = replace(healer.settings, token_file=token)
            reporter = reporter_of(healer, tmp_path)
            metrics = GuardianMetrics(healer.watch, reporter.figures, healer.notebook)
            source = source_of(healer, reporter.figures)
            server = Server(healer, reporter, healer.notebook, metrics, source, settings)
            async with served(server.application()) as url, aiohttp.ClientSession() as session:
                bearer = {"Authorization": "Bearer the-token-of-a-test"}

                async def ask(kind: str, headers: dict[str, str]) -> tuple[int, Any]:
                    async with session.post(f"{url}/reports/{kind}", headers=headers) as answer:
                        return answer.status, await answer.json()

                assert (await ask("health", bearer))[0] == 503
                healer.watch.view = view()
                healer.watch.view = replace(healer.watch.view, now=time.time())
                assert (await ask("health", {}))[0] == 401
                assert (await ask("health", {"Authorization": "Bearer another"}))[0] == 401
                assert (await ask("weather", bearer))[0] == 404
                status, made = await ask("health", bearer)
                assert (status, made["report"]) == (200, "health")
                assert list(reporter.history.read("health")) == [made]
                # The command that runs beside it, as in its container.
                told = {
                    "stack": "s",
                    "owner": "o",
                    "port": int(url.rpartition(":")[2]),
                    "token_file": str(token),
                }
                variables = {"GUARDIAN_SETTINGS": json.dumps(told)}
                assert await asyncio.to_thread(beside.ask, "POST", "/reports/memory", variables) == 0
                assert json.loads(capsys.readouterr().out)["report"] == "memory"
                assert await asyncio.to_thread(beside.ask, "POST", "/reports/weather", variables) == 1
                assert capsys.readouterr().err == "there is no such report\n"
                assert await asyncio.to_thread(beside.ask, "GET", "/document", variables) == 0
                assert json.loads(capsys.readouterr().out)["stack"] == settings.stack

    asyncio.run(run())


def test_a_guardian_that_is_not_there_makes_no_report(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"stack": "s", "owner": "o", "port": 1}
    assert beside.ask("POST", "/reports/memory", {"GUARDIAN_SETTINGS": json.dumps(told)}) == 1
    assert capsys.readouterr().err == "the guardian does not answer: ConnectionRefusedError\n"
    assert beside.ask("POST", "/reports/memory", {}) == 1
