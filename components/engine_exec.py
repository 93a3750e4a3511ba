"""Runs a command in a container, with its input from here: what it is told is in no argument."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.exec_stream import ExecStream

if TYPE_CHECKING:
    from docker import APIClient

KEPT_BYTES = 1_000_000


class ExecError(Exception):
    """The command failed. The message holds what it said."""


@dataclass(frozen=True)
class Exchange:
    """How a command ended, and the end of what it said: its output and its error output together."""

    code: int
    said: str


def run_in_container(container: str, command: Sequence[str], given: str) -> str:
    """The same as `ask`, for dynamic providers: the engine is that of the environment. Raises ExecError."""
    import docker

    engine = docker.from_env()
    try:
        return ask(engine.api, container, command, given)
    finally:
        engine.close()


def ask(api: APIClient, container: str, command: Sequence[str], given: str) -> str:
    """Returns what the command said. It must end by itself when it has read `given`. Raises ExecError."""
    ended = feed(api, container, command, [given.encode()])
    said = ended.said.strip()
    if ended.code != 0:
        raise ExecError(said or f"{command[0]} ended with {ended.code}")
    return said


def feed(
    api: APIClient,
    container: str,
    command: Sequence[str],
    content: Iterable[bytes],
    kept: int = KEPT_BYTES,
) -> Exchange:
    """Run a command in a running container with content of any length as its input.

    The end of the input cannot be told over every kind of connection to an engine: the command has to
    know it. What it says is read meanwhile, so that neither waits for the other, and its last `kept`
    bytes are kept. What `content` raises is raised, and the connection is closed.
    """
    started = api.exec_create(container, list(command), stdin=True)["Id"]
    said = bytearray()
    with closing(ExecStream(api, started)) as stream:

        def listen() -> None:
            # An engine resets a connection whose input nobody has read to its end.
            with suppress(ConnectionError):
                for _, part in stream.parts():
                    said.extend(part)
                    del said[:-kept]

        listener = threading.Thread(target=listen, name=f"output of {command[0]}", daemon=True)
        listener.start()
        try:
            for part in content:
                try:
                    stream.send(part)
                except ConnectionError:
                    # The command has ended early: its exit code and its words say why.
                    break
            listener.join()
        finally:
            # Where there is no more content, the command waits for it, and the listener for the command.
            stream.cut()
            listener.join()
        return Exchange(stream.exit_code(), bytes(said).decode(errors="replace"))
