"""The pool's end of a worker's socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import cast

from medianest.workers.frames import READY, Decoder, FrameError, JsonValue

Answer = Mapping[str, JsonValue]


class ChannelClosedError(Exception):
    """No answer will come any more."""


class Channel(asyncio.Protocol):
    """One request at a time and its answer. What is not an answer closes the channel, and `violation`
    tells what it was; `closed` is done when nothing can come any more."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._decoder = Decoder()
        self._expected: tuple[int, asyncio.Future[Answer]] | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.violation: str | None = None
        self.ready = self._expect(READY)
        """The first answer, to which nobody needs to send a request."""

    def request(self, number: int, frame: bytes) -> asyncio.Future[Answer]:
        """Send a request and expect its answer, or ChannelClosedError."""
        future = self._expect(number)
        if self._transport is None:
            future.set_exception(ChannelClosedError())
        else:
            self._transport.write(frame)
        return future

    def close(self) -> None:
        """Tell the worker that there is nothing more to do."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            for answer in self._decoder.feed(data):
                self._deliver(answer)
        except FrameError as error:
            self.violation = str(error)
            self.close()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._transport = None
        if self._expected is not None and not self._expected[1].done():
            self._expected[1].set_exception(ChannelClosedError())
            self._expected[1].exception()  # seen, even if nobody waits for it any more
        self._expected = None
        self.closed.set_result(None)

    def _expect(self, number: int) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._expected = number, future
        return future

    def _deliver(self, answer: Answer) -> None:
        if self._expected is None or answer.get("id") != self._expected[0]:
            raise FrameError("an answer that nobody asked for")
        if "error" in answer and not _is_error(answer["error"]):
            raise FrameError("an error without name and message")
        future, self._expected = self._expected[1], None
        if not future.done():
            future.set_result(answer)


def _is_error(error: JsonValue) -> bool:
    return isinstance(error, Mapping) and all(isinstance(error.get(key), str) for key in ("name", "message"))
