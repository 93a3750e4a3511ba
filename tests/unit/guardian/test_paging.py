"""Pages over real connections on loopback: to Alertmanager, past it, and to nobody."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from guardian.pager import Page, Pager
from guardian.settings import Settings
from tests.unit.guardian.loopback import served
from tests.unit.guardian.stacks import NOW, SETTINGS

PAGE = Page("backend", "staging: backend-0: it crashes", "crashing:backend-0", "backend-0", "evidence/x")


class Receiver:
    """Takes what is posted, with the status that it is told to answer with."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Any]] = []
        self.status: dict[str, int] = {}

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((request.path, await request.json()))
        return web.Response(status=self.status.get(request.path, 200))


def with_receiver(
    tmp_path: Path, test: Callable[[Receiver, Settings, aiohttp.ClientSession], Awaitable[None]]
) -> None:
    async def run() -> None:
        receiver, application = Receiver(), web.Application()
        application.router.add_post("/{path:.*}", receiver.take)
        async with served(application) as url, aiohttp.ClientSession() as session:
            (tmp_path / "webhook").write_text(f"{url}/team?secret=s3cr3t")
            settings = replace(SETTINGS, alertmanager=url, webhook_file=tmp_path / "webhook")
            await test(receiver, settings, session)

    asyncio.run(run())


def test_a_page_is_an_alert_for_the_teams_receivers(tmp_path: Path) -> None:
    async def check(receiver: Receiver, settings: Settings, session: aiohttp.ClientSession) -> None:
        assert await Pager(session, settings).send(PAGE, NOW)
        ((path, (alert,)),) = receiver.got
        assert path == "/api/v2/alerts"
        assert alert["labels"]["alertname"] == "GuardianPage"
        assert alert["labels"]["severity"] == "critical"
        assert alert["labels"]["stack"] == "staging"
        assert alert["annotations"] == {
            "summary": PAGE.summary,
            "container": "backend-0",
            "evidence": "evidence/x",
        }
        assert alert["startsAt"] == "1970-01-12T13:46:40+00:00"

    with_receiver(tmp_path, check)


def test_without_alertmanager_the_team_is_told_straight(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def check(receiver: Receiver, settings: Settings, session: aiohttp.ClientSession) -> None:
        receiver.status["/api/v2/alerts"] = 503
        assert await Pager(session, settings).send(PAGE, NOW)
        path, document = receiver.got[-1]
        assert path == "/team"
        assert document["version"] == "4"
        assert document["alerts"][0]["status"] == "firing"
        assert document["alerts"][0]["annotations"]["summary"] == PAGE.summary

    with_receiver(tmp_path, check)
    assert (logging.CRITICAL, PAGE.summary) in [(record.levelno, record.message) for record in caplog.records]


def test_a_page_that_reaches_nobody_is_in_the_log_and_no_secret_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def check(receiver: Receiver, settings: Settings, session: aiohttp.ClientSession) -> None:
        receiver.status = {"/api/v2/alerts": 500, "/team": 500}
        assert not await Pager(session, settings).send(PAGE, NOW)
        nobody = replace(settings, alertmanager="http://127.0.0.1:1", webhook_file=tmp_path / "nothing")
        assert not await Pager(session, nobody).send(PAGE, NOW)

    with_receiver(tmp_path, check)
    said = json.dumps([record.__dict__ for record in caplog.records], default=str)
    assert PAGE.summary in said
    assert "s3cr3t" not in said


def test_the_absence_of_the_watchdog_goes_past_alertmanager(tmp_path: Path) -> None:
    async def check(receiver: Receiver, settings: Settings, session: aiohttp.ClientSession) -> None:
        assert await Pager(session, settings).missing_watchdog(330, NOW)
        ((path, document),) = receiver.got
        assert path == "/team"
        assert "No Watchdog alert for 330 s" in document["alerts"][0]["annotations"]["summary"]

    with_receiver(tmp_path, check)
