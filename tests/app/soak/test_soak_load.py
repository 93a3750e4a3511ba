"""The client and the pace of the loads."""

from __future__ import annotations

import asyncio
import time

import pytest
from medianest.soak.http_client import Answer, Client, NoAnswerError
from medianest.soak.load import Latencies, Tally, happens, steady
from medianest.soak.runner import run
from soaking import StandIn


async def served(answers: list[bytes]) -> tuple[asyncio.Server, Client, list[bytes]]:
    """A server that sends these bytes, one after the other, and closes where there is none left."""
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answers and (data := await reader.read(65536)):
            received.append(data)
            writer.write(answers.pop(0))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, Client("127.0.0.1", server.sockets[0].getsockname()[1], patience=0.3), received


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
    server, client, received = await served([chunks])
    answer = await client.request("POST", "/y", headers={"X-A": "b"}, body=b"body")
    assert answer.body == b"[1]"
    assert answer.document() == {}
    assert received[0].startswith(b"POST /y HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nX-A: b\r\n")
    assert received[0].endswith(b"\r\n\r\nbody")
    await client.close()
    server.close()


async def test_a_connection_that_the_server_closes_is_not_used_again() -> None:
    closing = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    server, client, _ = await served([closing, closing])
    assert (await client.request("GET", "/")).status == 200
    assert client._idle == []
    assert (await client.request("GET", "/")).status == 200
    server.close()


async def test_a_connection_that_was_closed_while_idle_is_not_used_again() -> None:
    server, client, _ = await served([b"HTTP/1.1 204 No Content\r\n\r\n"])
    assert (await client.request("GET", "/")).status == 204
    (connection,) = client._idle
    async with asyncio.timeout(5):
        await connection.reader.read()
    assert client._take() is None
    server.close()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal", "TimeoutError"),
        (b"", "ConnectionResetError"),
        (b"not HTTP at all\r\n\r\n", "HttpParser.*Error"),
    ],
)
async def test_what_is_no_answer_is_told_by_its_kind(answer: bytes, kind: str) -> None:
    server, client, _ = await served([answer] if answer else [])
    with pytest.raises(NoAnswerError, match=kind):
        await client.request("GET", "/")
    assert client._idle == []
    server.close()


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
    with pytest.raises(ExceptionGroup) as caught:
        await run(Broken(), 1, told.append, asyncio.Event())  # type: ignore[arg-type]
    assert caught.group_contains(LookupError)
    assert told == []
