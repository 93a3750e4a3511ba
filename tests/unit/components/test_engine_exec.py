"""Commands in containers, over real connections to an engine that is the test's."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import pytest
from docker import APIClient

from components.engine_exec import Exchange, feed

VERSION = "1.41"
UPGRADED = (
    b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
    b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
)


def frame(said: bytes) -> bytes:
    """Output as an engine sends it."""
    return b"\x01\x00\x00\x00" + len(said).to_bytes(4) + said


class Engine(ThreadingHTTPServer):
    """Answers what `feed` asks. The connection of a command is the test's, once it has begun."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Exec)
        self.at_once = b""
        self.commands: Queue[socket.socket] = Queue()
        self.over = threading.Event()

    def feed(self, content: Iterator[bytes]) -> Exchange:
        api = APIClient(f"tcp://127.0.0.1:{self.server_port}", version=VERSION, timeout=10)
        try:
            return feed(api, "postgres", ["psql"], content)
        finally:
            api.close()


class Exec(BaseHTTPRequestHandler):
    server: Engine
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        asked = json.loads(self.rfile.read(length))
        if self.path == f"/v{VERSION}/containers/postgres/exec":
            assert asked["AttachStdin"] is True
            self._answer({"Id": "1"})
        elif self.path == f"/v{VERSION}/exec/1/start":
            # In one packet, as an engine does for a command that is done at once.
            self.connection.sendall(UPGRADED + self.server.at_once)
            self.server.commands.put(self.connection)
            self.server.over.wait(10)
            self.close_connection = True

    def do_GET(self) -> None:
        assert self.path == f"/v{VERSION}/exec/1/json"
        self._answer({"ExitCode": 3})

    def _answer(self, document: dict[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as made:
        serving = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        yield made
        made.over.set()
        made.shutdown()
        serving.join()


def test_what_is_said_at_once_is_not_lost(engine: Engine) -> None:
    engine.at_once = frame(b"no such ") + frame(b"table")

    def ends() -> Iterator[bytes]:
        engine.commands.get(timeout=10).shutdown(socket.SHUT_RDWR)
        yield from ()

    assert engine.feed(ends()) == Exchange(3, "no such table")


def test_what_cannot_be_read_to_its_end_closes_the_connection(engine: Engine) -> None:
    """Else the command waits for the rest, for ever, and so does whoever listens to it."""

    def breaks_off() -> Iterator[bytes]:
        yield b"the first part"
        raise ValueError("the archive is damaged")

    with pytest.raises(ValueError, match="the archive is damaged"):
        engine.feed(breaks_off())
    command = engine.commands.get(timeout=10)
    assert command.recv(100) == b"the first part"
    assert command.recv(100) == b""


def test_a_command_that_ends_early_tells_why(engine: Engine) -> None:
    def more() -> Iterator[bytes]:
        yield b"the first part"
        command = engine.commands.get(timeout=10)
        assert command.recv(100) == b"the first part"
        command.sendall(frame(b"no such table"))
        command.shutdown(socket.SHUT_RDWR)
        yield from [b"too late"] * 3

    assert engine.feed(more()) == Exchange(3, "no such table")
