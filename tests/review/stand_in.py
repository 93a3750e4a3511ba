"""A host that keeps comments, holds each request against its API description, and fails when told to."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from tests.review.prism import Prism

Document = dict[str, Any]
Nothing = Callable[[], None]


@dataclass(frozen=True)
class Request:
    """One request, taken apart."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Document
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    status: int
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""
    """What is sent where there is no document."""


@dataclass
class Fault:
    """What happens to the next `times` requests of a kind. Without anything they are cut off unheard."""

    method: str
    path: str
    """A regular expression that is found in the path."""
    times: int = 1
    reply: Reply | None = None
    carried_out: bool = False
    """Carried out, and cut off before the answer; with `before` or `after` answered as well."""
    before: Nothing | None = None
    """Called before the request is carried out: a wait, another's doing."""
    after: Nothing | None = None
    """Called when it has been carried out, before the answer."""


class Api(Protocol):
    """One host's state. `answer` is called by one thread at a time."""

    def answer(self, request: Request) -> Reply: ...


@dataclass
class StandIn:
    """A running host: its state, what it was asked, and what of that breaks its API description."""

    address: str
    api: Api
    prism: Prism
    asked: list[Request] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def count(self, method: str, path: str = "") -> int:
        return sum(request.method == method and bool(re.search(path, request.path)) for request in self.asked)

    def fault(self, request: Request) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times and fault.method == request.method and re.search(fault.path, request.path):
                    fault.times -= 1
                    return fault
        return None


@contextmanager
def serving(api: Api, prism: Prism) -> Iterator[StandIn]:
    """The host on a free port of loopback. Fails the test for a request that its description refuses."""
    server = _Server(("127.0.0.1", 0), _handler())
    stand_in = StandIn(f"http://127.0.0.1:{server.server_address[1]}", api, prism)
    server.stand_in = stand_in  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert not stand_in.violations, "\n".join(stand_in.violations)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that has given up is what some tests are about."""


def _handler() -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            stand_in: StandIn = self.server.stand_in  # type: ignore[attr-defined]
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(raw) if raw else {}
            request = Request(self.command, parts.path, dict(parse_qsl(parts.query)), body, headers)
            refused = stand_in.prism.violations(self.command, self.path, raw, headers)
            with stand_in.lock:
                stand_in.asked.append(request)
                if refused:
                    stand_in.violations.append(f"{self.command} {self.path}: {refused}")
            self._carry_out(stand_in, request, stand_in.fault(request))

        do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815

        def _carry_out(self, stand_in: StandIn, request: Request, fault: Fault | None) -> None:
            if fault and fault.before:
                fault.before()
            if fault and fault.reply:
                return self._send(fault.reply)
            if fault and not (fault.carried_out or fault.before or fault.after):
                return self._cut()
            with stand_in.lock:
                reply = stand_in.api.answer(request)
            if fault and fault.after:
                fault.after()
            if fault and fault.carried_out:
                return self._cut()
            return self._send(reply)

        def _send(self, reply: Reply) -> None:
            payload = reply.raw if reply.document is None else json.dumps(reply.document).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def _cut(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def page_of(items: list[Any], query: Mapping[str, str]) -> tuple[list[Any], int | None]:
    """The items of the page that is asked for, and the number of the next one."""
    size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
    rest = items[(page - 1) * size :]
    return rest[:size], page + 1 if len(rest) > size else None


def together(parties: int, seconds: float = 20) -> Nothing:
    """A wait until as many threads have come, or, where not all do, until the time is up."""
    barrier = threading.Barrier(parties)

    def wait() -> None:
        try:
            barrier.wait(seconds)
        except threading.BrokenBarrierError:
            time.sleep(0)

    return wait
