import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from medianest.workers.channel import Channel, ChannelClosedError
from medianest.workers.frames import encode


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    _, channel = await asyncio.get_running_loop().create_unix_connection(Channel, sock=ours)
    with theirs:
        yield channel, theirs
        channel.close()
        await asyncio.wait({channel.closed})


Ends = tuple[Channel, socket.socket]


async def test_a_request_gets_its_answer(ends: Ends) -> None:
    channel, worker = ends
    worker.send(encode({"id": 0, "result": []}))
    assert await channel.ready == {"id": 0, "result": []}
    answer = channel.request(7, encode({"id": 7, "task": "ping"}))
    worker.send(encode({"id": 7, "result": None}))
    assert await answer == {"id": 7, "result": None}


async def test_an_answer_may_come_when_nobody_waits_any_more(ends: Ends) -> None:
    channel, worker = ends
    channel.ready.cancel()
    worker.send(encode({"id": 0, "result": []}))
    worker.close()
    await asyncio.wait({channel.closed})
    assert channel.violation is None


@pytest.mark.parametrize(
    ("sent", "violation"),
    [
        (b"\xff\xff\xff\xff", "a message of 4294967295 bytes"),
        (b"\0\0\0\1x", "a message that is not JSON"),
        (encode({"id": 1}), "an answer that nobody asked for"),
        (encode({"id": 0, "error": "oh"}), "an error without name and message"),
        (encode({"id": 0, "error": {"name": "E", "message": 1}}), "an error without name and message"),
    ],
)
async def test_what_is_not_an_answer_closes_the_channel(ends: Ends, sent: bytes, violation: str) -> None:
    channel, worker = ends
    worker.send(sent)
    with pytest.raises(ChannelClosedError):
        await channel.ready
    assert channel.violation == violation
    assert worker.recv(1) == b""


async def test_after_the_end_no_answer_comes(ends: Ends) -> None:
    channel, worker = ends
    worker.close()
    with pytest.raises(ChannelClosedError):
        await channel.ready
    with pytest.raises(ChannelClosedError):
        await channel.request(1, encode({}))
    assert channel.violation is None
