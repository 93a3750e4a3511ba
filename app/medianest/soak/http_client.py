"""A small HTTP/1.1 client that keeps its connections, for loads: no redirects, no cookies, no TLS."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httptools

# The gateway closes what has been idle for 15 s: a request must never run into that.
_LONGEST_IDLE = 5.0
_CHUNK = 65536


class NoAnswerError(Exception):
    """The request got no answer that can be read. The message is the kind of the failure."""


@dataclass(frozen=True)
class Answer:
    """An answer. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> dict[str, Any]:
        """The body as a JSON object; empty when it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass
class _Message:
    """Collects one answer; its methods are those that httptools calls."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False
    keep_alive: bool = False

    def __post_init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        # The parser knows it only here: at the end of the message it has forgotten.
        self.keep_alive = self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


@dataclass(frozen=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    idle_since: float = 0.0

    def usable(self, now: float) -> bool:
        return now - self.idle_since < _LONGEST_IDLE and not self.reader.at_eof()


class Client:
    """One server. Opens as many connections as there are requests at once. `patience` bounds a whole
    request, in seconds."""

    def __init__(self, host: str, port: int, *, patience: float = 10.0) -> None:
        self._host = host
        self._port = port
        self._patience = patience
        self._idle: list[_Connection] = []

    async def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Raises NoAnswerError."""
        head = {"Host": self._host, "Content-Length": str(len(body)), **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
        try:
            async with asyncio.timeout(self._patience):
                return await self._exchange("\r\n".join(lines).encode("latin-1") + body)
        except (OSError, httptools.HttpParserError) as error:  # TimeoutError is an OSError
            raise NoAnswerError(type(error).__name__) from None

    async def close(self) -> None:
        """Close what is idle."""
        for connection in self._idle:
            connection.writer.close()
        for connection in self._idle:
            try:
                await connection.writer.wait_closed()
            except OSError:
                continue
        self._idle.clear()

    async def _exchange(self, request: bytes) -> Answer:
        connection = self._take() or _Connection(*await asyncio.open_connection(self._host, self._port))
        kept = False
        try:
            connection.writer.write(request)
            await connection.writer.drain()
            message = _Message()
            while not message.complete:
                received = await connection.reader.read(_CHUNK)
                if not received:
                    raise ConnectionResetError
                message.parser.feed_data(received)
            kept = message.keep_alive
            return Answer(message.parser.get_status_code(), message.headers, bytes(message.body))
        finally:
            # A request that was given up leaves an answer behind, which the next one must not read.
            if kept:
                self._idle.append(_Connection(connection.reader, connection.writer, time.monotonic()))
            else:
                connection.writer.close()

    def _take(self) -> _Connection | None:
        now = time.monotonic()
        while self._idle:
            connection = self._idle.pop()
            if connection.usable(now):
                return connection
            connection.writer.close()
        return None
