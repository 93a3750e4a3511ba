"""A dashboard over real connections on loopback, with what it asks, and a client with a jar of cookies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
from aiohttp import web

from guardian.backends import Backends
from guardian.container_figures import ContainerFigures
from guardian.dashboard.pages import Pages
from guardian.dashboard.source import Source
from guardian.engine.client import EngineClient
from guardian.prometheus import Prometheus
from guardian.record.notebook import Notebook
from guardian.stack_watch import StackWatch
from tests.unit.guardian.loopback import served
from tests.unit.guardian.stacks import SETTINGS, view

PASSWORD, TOKEN = "the-password-of-a-test", "the-token-of-a-test"
WEBHOOK = "https://hooks.example/services/secret-part"


@dataclass
class Outside:
    """The engine's logs, and Prometheus with one figure."""

    nonsense: bool = False
    asked: int = 0

    def application(self) -> web.Application:
        application = web.Application()
        application.add_routes(
            [
                web.get("/containers/{id}/logs", self.log),
                web.post("/api/v1/query", self.query),
                web.post("/api/v1/query_range", self.line),
                web.get("/api/v1/alerts", self.alerts),
            ]
        )
        return application

    async def log(self, request: web.Request) -> web.Response:
        text = f"2026-11-24T10:00:01Z told {WEBHOOK} of {request.match_info['id']} with {TOKEN}\n"
        return web.Response(text=text)

    async def query(self, _: web.Request) -> web.Response:
        self.asked += 1
        result = [{"metric": {"route": "/api"}, "value": [1, "0.5"]}]
        return self._answer({"result": result})

    async def line(self, request: web.Request) -> web.Response:
        form = await request.post()
        return self._answer({"result": [{"metric": {}, "values": [[float(str(form["end"])), "NaN"]]}]})

    async def alerts(self, _: web.Request) -> web.Response:
        return self._answer({"alerts": []})

    def _answer(self, data: object) -> web.Response:
        if self.nonsense:
            return web.Response(text="<html>")
        return web.json_response({"status": "success", "data": data})


@dataclass
class Browser:
    """Asks the dashboard, with a jar of cookies."""

    url: str
    session: aiohttp.ClientSession
    watch: StackWatch
    directory: Path
    outside: Outside

    async def log_in(self, password: str = PASSWORD) -> int:
        async with self.session.post(
            f"{self.url}/login", data={"password": password}, allow_redirects=False
        ) as answer:
            return answer.status

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.url + path, allow_redirects=False) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def browser(directory: Path) -> AsyncIterator[Browser]:
    files = {"guardian_token": TOKEN, "dashboard_password": PASSWORD, "alert_webhook_url": WEBHOOK}
    for name, content in files.items():
        (directory / name).write_text(content)
    outside = Outside()
    async with served(outside.application()) as url, aiohttp.ClientSession() as session:
        settings = replace(
            SETTINGS,
            directory=directory,
            token_file=directory / "guardian_token",
            webhook_file=directory / "alert_webhook_url",
            dashboard_password_file=directory / "dashboard_password",
        )
        engine, notebook = EngineClient(url, session), Notebook(directory)
        watch = StackWatch(engine, Backends(session, settings), notebook.memory, settings)
        watch.view = view(now=time.time())
        used = ContainerFigures(engine, watch)
        source = Source(watch, used, notebook, Prometheus(url, session), settings)
        pages = Pages(source, watch, engine, settings)
        # A jar that takes cookies of an address, as there is no name.
        jar = aiohttp.CookieJar(unsafe=True)
        async with served(pages.application()) as own, aiohttp.ClientSession(cookie_jar=jar) as client:
            yield Browser(own, client, watch, directory, outside)


def run(directory: Path, test: Callable[[Browser], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with browser(directory) as made:
            await asyncio.wait_for(test(made), 30)

    asyncio.run(whole())
