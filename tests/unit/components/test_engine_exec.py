"""Input of a command, over a real connection of which the other end is the test's."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any, cast

import pytest
from docker import APIClient

from components.engine_exec import Exchange, feed

STDOUT = b"\x01\x00\x00\x00"


class Exec:
    """What a client of an engine says of one command."""

    def __init__(self) -> None:
        self.here, self.there = socket.socketpair()

    def exec_create(self, container: str, command: list[str], stdin: bool) -> dict[str, str]:
        assert stdin
        return {"Id": f"{container} {command}"}

    def exec_start(self, identity: str, socket: bool) -> Any:
        assert identity
        assert socket
        return self.here.makefile("rb", buffering=0)

    def exec_inspect(self, identity: str) -> dict[str, int]:
        assert identity
        return {"ExitCode": 3}

    def feed(self, content: Iterator[bytes]) -> Exchange:
        return feed(cast(APIClient, self), "postgres", ["psql"], content)


@pytest.fixture
def engine() -> Iterator[Exec]:
    made = Exec()
    made.there.settimeout(10)
    yield made
    made.there.close()
    made.here.close()


def test_what_cannot_be_read_to_its_end_closes_the_connection(engine: Exec) -> None:
    """Else the command waits for the rest, for ever, and so does whoever listens to it."""

    def breaks_off() -> Iterator[bytes]:
        yield b"the first part"
        raise ValueError("the archive is damaged")

    with pytest.raises(ValueError, match="the archive is damaged"):
        engine.feed(breaks_off())
    assert engine.there.recv(100) == b"the first part"
    assert engine.there.recv(100) == b""
    assert engine.here.fileno() == -1


def test_a_command_that_ends_early_tells_why(engine: Exec) -> None:
    said = b"no such table"
    engine.there.sendall(STDOUT + len(said).to_bytes(4) + said)

    def more() -> Iterator[bytes]:
        yield b"the first part"
        engine.there.close()
        yield from [b"too late"] * 3

    assert engine.feed(more()) == Exchange(3, "no such table")
    assert engine.here.fileno() == -1
