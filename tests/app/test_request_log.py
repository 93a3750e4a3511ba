import asyncio
from typing import Any

import pytest
from conftest import Running
from fastapi import APIRouter
from httpx import ASGITransport, AsyncClient
from medianest.request_figures import RequestFigures
from medianest.request_log import RequestLog
from medianest.routes import RouteTable
from problem_shape import assert_problem
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


@pytest.fixture
def table() -> RouteTable:
    router = APIRouter(prefix="/api/users")
    router.add_api_route("/me", lambda: None)
    router.add_api_route("/{user_id}/me", lambda: None)
    return RouteTable([router])


@pytest.mark.parametrize("given", ["abc-123", "A.b_c", "x" * 64])
async def test_a_sound_request_id_is_kept(running: Running, given: str) -> None:
    answer = await running.client.get("/nowhere", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", 'quo"te', "new\tline", "ünï"])
async def test_an_unsound_request_id_is_replaced(running: Running, given: str) -> None:
    answer = await running.client.get("/nowhere", headers={b"X-Request-ID": given.encode()})
    assert len(answer.headers["X-Request-ID"]) == 32


async def test_every_request_has_an_id_of_its_own(running: Running) -> None:
    ids = {(await running.client.get("/nowhere")).headers["X-Request-ID"] for _ in range(5)}
    assert len(ids) == 5


async def test_a_request_is_one_line(running: Running, logged: list[dict[str, Any]]) -> None:
    await running.client.get("/nowhere?token=secret", headers={"X-Request-ID": "r-1"})
    await running.client.head("/api/users/me")
    line, known = logged
    assert (known["method"], known["path"], known["status"]) == ("HEAD", "/api/users/me", 401)
    assert line.pop("milliseconds") >= 0
    assert line == {
        "event": "Request",
        "log_level": "info",
        "component": "requests",
        "method": "GET",
        "path": "/*",
        "status": 404,
    }


async def test_health_probes_are_not_logged(running: Running, logged: list[dict[str, Any]]) -> None:
    for path in ("/api/health", "/api/health/live", "/api/health/ready"):
        await running.client.get(path)
    assert logged == []


def test_a_path_is_logged_without_what_may_be_a_secret(table: RouteTable) -> None:
    shown = {
        "/api/users/me": "/api/users/me",
        "/api/users/hunter2": "/api/users/*",
        "/api/users/7/me": "/api/users/7/me",
        "/api/users/0b5c1bfe-2d5c-4b0e-8a39-0f5a3d1c9e77": "/api/users/0b5c1bfe-2d5c-4b0e-8a39-0f5a3d1c9e77",
        "/api/eyJhbGciOiJIUzI1NiJ9.e30.abc": "/api/*",
        "": "",
        "*": "*",
    }
    assert {path: table.loggable(path) for path in shown} == shown
    assert len(table.loggable("/x" * 10_000)) < 100


async def test_head_is_answered_like_get(running: Running) -> None:
    got, head = [await running.client.request(method, "/api/health/live") for method in ("GET", "HEAD")]
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers.items() - got.headers.items() == {("x-request-id", head.headers["X-Request-ID"])}
    wrong = await running.client.head("/api/auth/login")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")


async def test_beyond_a_number_of_requests_at_once_more_are_sent_away(
    running: Running, logged: list[dict[str, Any]]
) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        arrived.set()
        await go.wait()
        await Response("done")(scope, receive, send)

    backend = running.backend
    figures = RequestFigures()
    app = RequestLog(slow, RouteTable([]), backend.lifecycle, figures, most=1)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://backend") as client:
        first = asyncio.create_task(client.get("/a"))
        await arrived.wait()
        assert figures.in_flight == 1
        assert_problem(await client.get("/b"), 503, "Too many requests at once")
        live = asyncio.create_task(client.get("/api/health/live"))
        go.set()
        assert (await first).text == (await live).text == "done"
    assert figures.in_flight == 0


async def test_a_cancelled_request_is_counted_as_one(running: Running, logged: list[dict[str, Any]]) -> None:
    arrived = asyncio.Event()

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        arrived.set()
        await asyncio.Event().wait()

    figures = RequestFigures()
    app = RequestLog(never, RouteTable([]), running.backend.lifecycle, figures)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://backend") as client:
        request = asyncio.create_task(client.get("/a"))
        await arrived.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    assert figures.in_flight == 0
    assert [line["status"] for line in logged] == [499]
