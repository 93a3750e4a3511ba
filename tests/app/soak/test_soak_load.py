"""The client and the pace of the loads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from medianest.soak.http_client import Answer, Client, NoAnswerError
from medianest.soak.load import Latencies, Tally, happens, steady
from medianest.soak.runner import run
from soaking import StandIn


@asynccontextmanager
async def served(answers: list[bytes]) -> AsyncIterator[tuple[Client, list[bytes]]]:
    """A server that sends these bytes, one after the other, and closes where there is none left. Gives
    a client of it, and what it receives."""
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answers and (data := await reader.read(65536)):
            received.append(data)
            writer.write(answers.pop(0))
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = Client("127.0.0.1", server.sockets[0].getsockname()[1], patience=0.3)
        yield client, received
        await client.close()
        server.close_clients()


async def test_a_request_is_answered_and_its_connection_kept() -> None:
    async with StandIn({"GET /x": (200, {"a": 1})}).serving() as stand_in:
        client = Client("127.0.0.1", stand_in.port)
        for _ in range(3):
            answer = await client.request("GET", "/x")
            assert (answer.status, answer.document()) == (200, {"a": 1})
            assert answer.headers["x-cache"] == "hit"
        assert len(client._idle) == 1
        await client.close()
        assert client._idle == []


async def test_a_body_in_chunks_is_put_together() -> None:
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n"
    async with served([chunks]) as (client, received):
        answer = await client.request("POST", "/y", headers={"X-A": "b"}, body=b"body")
        assert answer.body == b"[1]"
        assert answer.document() == {}
        assert received[0].startswith(
            b"POST /y HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nX-A: b\r\n"
        )
        assert received[0].endswith(b"\r\n\r\nbody")


async def test_a_connection_that_the_server_closes_is_not_used_again() -> None:
    closing = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with served([closing, closing]) as (client, _):
        assert (await client.request("GET", "/")).status == 200
        assert client._idle == []
        assert (await client.request("GET", "/")).status == 200


async def test_a_connection_that_was_closed_while_idle_is_not_used_again() -> None:
    async with served([b"HTTP/1.1 204 No Content\r\n\r\n"]) as (client, _):
        assert (await client.request("GET", "/")).status == 204
        (connection,) = client._idle
        async with asyncio.timeout(5):
            await connection.reader.read()
        assert client._take() is None


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal", b"never asked for"], "TimeoutError"),
        ([], "ConnectionResetError"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal"], "ConnectionResetError"),
        ([b"not HTTP at all\r\n\r\n"], "HttpParser.*Error"),
    ],
)
async def test_what_is_no_answer_is_told_by_its_kind(answers: list[bytes], kind: str) -> None:
    async with served(answers) as (client, _):
        with pytest.raises(NoAnswerError, match=kind):
            await client.request("GET", "/")
        assert client._idle == []


async def test_nobody_there_is_told() -> None:
    async with StandIn().serving() as stand_in:
        port = stand_in.port
    with pytest.raises(NoAnswerError, match="ConnectionRefusedError"):
        await Client("127.0.0.1", port).request("GET", "/")


async def test_a_load_keeps_its_pace_and_ends_when_told() -> None:
    stop, begun, running, most = asyncio.Event(), 0, 0, 0

    async def operation() -> None:
        nonlocal begun, running, most
        begun, running = begun + 1, running + 1
        most = max(most, running)
        await asyncio.sleep(0.03)
        running -= 1

    load = asyncio.create_task(steady(50, 5, operation, stop))
    await happens(asyncio.Event(), 0.5)
    stop.set()
    await load
    assert 15 <= begun <= 26
    assert most <= 5
    assert running == 0


async def test_a_load_that_is_late_does_not_catch_up() -> None:
    stop, times = asyncio.Event(), []

    async def operation() -> None:
        times.append(time.monotonic())
        if len(times) == 1:
            await asyncio.sleep(0.3)
        if len(times) == 4:
            stop.set()

    await steady(20, 1, operation, stop)
    assert times[3] - times[1] >= 0.09


async def test_answers_are_counted_by_what_became_of_them() -> None:
    tally = Tally()

    async def answer(status: int) -> Answer:
        return Answer(status, {}, b"")

    async def none() -> Answer:
        raise NoAnswerError("TimeoutError")

    assert await tally.count(answer(200), 200) is not None
    assert await tally.count(answer(503), 200, 201) is None
    assert await tally.count(answer(503), 200) is None
    assert await tally.count(none(), 200) is None
    assert (tally.succeeded, tally.failed, tally.total) == (1, 3, 4)
    assert tally.note == "status 503: 2, TimeoutError: 1"


def test_percentiles_are_right_within_their_buckets() -> None:
    latencies = Latencies()
    assert latencies.milliseconds(0.99) is None
    for milliseconds in range(1, 1001):
        latencies.add(milliseconds / 1000)
    assert latencies.milliseconds(0.5) == pytest.approx(500, rel=0.05)
    assert latencies.milliseconds(0.99) == pytest.approx(990, rel=0.05)


async def test_a_mistake_in_a_check_is_no_verdict() -> None:
    class Broken:
        async def prepare(self) -> None:
            raise LookupError("a bug")

        async def close(self) -> None:
            pass

    told: list[str] = []
    with pytest.raises(LookupError, match="a bug"):
        await run(Broken(), 1, told.append, asyncio.Event())  # type: ignore[arg-type]
    assert told == []
