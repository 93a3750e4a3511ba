"""What the tests of the checks share: a backend in a process of its own, a stand-in for one, and runs."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from medianest.soak.http_client import Client, NoAnswerError
from medianest.soak.load import happens
from medianest.soak.runner import Check, run
from medianest.soak.target import Target

START_SECONDS = 60


def target(port: int, password: str = "", seconds: float = 1.0) -> Target:
    """A backend on loopback without a gateway before it."""
    return Target(seconds, "127.0.0.1", port, "127.0.0.1", port, "demo", password)


@asynccontextmanager
async def backend_process(environment: Mapping[str, str]) -> AsyncIterator[int]:
    """`python -m medianest` until the block ends. Gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "PYTHONPATH") or "COV" in k}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "medianest"),
        env={**inherited, **environment, "PORT": str(port), "DRAIN_SECONDS": "1"},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            await _ready(Client("127.0.0.1", port))
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _ready(client: Client) -> None:
    while True:
        try:
            if (await client.request("GET", "/api/health/ready")).status == 200:
                break
        except NoAnswerError:
            pass
        await asyncio.sleep(0.02)
    await client.close()


@dataclass
class Outcome:
    """What a check has told."""

    passed: bool
    lines: list[dict[str, Any]]
    verdict: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.verdict = self.lines[-1]

    def figure(self, name: str) -> dict[str, Any]:
        return next(figure for figure in self.verdict["figures"] if figure["name"].startswith(name))


async def soaked(check: Check, seconds: float, stop: asyncio.Event | None = None) -> Outcome:
    """Run a check for so long."""
    lines: list[dict[str, Any]] = []
    passed = await run(check, seconds, lambda line: lines.append(json.loads(line)), stop or asyncio.Event())
    return Outcome(passed, lines)


async def after(seconds: float, action: Callable[[], object]) -> None:
    """Do something while a check is under way."""
    await happens(asyncio.Event(), seconds)
    action()


@dataclass
class StandIn:
    """A backend as the checks see it, that misbehaves on request: what no real one does on demand.

    Answers `METHOD path` from `answers`: a status and a document, or a function that gives both.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    metrics: Callable[[], Mapping[str, float]] = dict
    port: int = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[StandIn]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self
            server.close_clients()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.decode().split(" ", 2)
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
                await reader.readexactly(length)
                self.requests.append(f"{method} {path}")
                status, body = self._answer(method, path)
                kind = f"HTTP/1.1 {status} x\r\nX-Cache: hit\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(kind.encode() + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, method: str, path: str) -> tuple[int, bytes]:
        if path == "/metrics":
            told = self.metrics()
            text = "".join(f"{name} {value}\n" for name, value in told.items())
            return (200, text.encode()) if told else (404, b"")
        kind = f"{method} {path}"
        found = self.answers.get(kind) or self.answers.get(f"{method} {path.rpartition('/')[0]}/*")
        defaults = {
            "POST /api/auth/login": (200, {"access_token": "t"}),
            "POST /api/auth/test-jwt": (200, {}),
            "GET /api/users/me": (200, {"display_name": "demo"}),
            "PATCH /api/users/me": (200, {}),
        }
        found = found or defaults.get(kind, (404, {}))
        status, document = found() if callable(found) else found
        return status, json.dumps(document).encode() if status != 204 else b""
