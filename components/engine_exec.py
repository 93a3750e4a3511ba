"""Runs a command in a container, with its input from here: what it is told is in no argument."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


class ExecError(Exception):
    """The command failed. The message holds what it said."""


def run_in_container(container: str, command: Sequence[str], given: str) -> str:
    """Returns what the command said. It must end by itself when it has read `given`.

    Raises ExecError. For dynamic providers: the engine is that of the environment.
    """
    import docker

    engine = docker.from_env()
    try:
        api = engine.api
        created = api.exec_create(container, list(command), stdin=True)
        stream: Any = api.exec_start(created["Id"], socket=True)
        try:
            # The SDK wraps a socket of its own for a local engine, and hands another one over as it is.
            getattr(stream, "_sock", stream).sendall(given.encode())
            said = b"".join(_frames(stream)).decode(errors="replace").strip()
        finally:
            stream.close()
        code = api.exec_inspect(created["Id"])["ExitCode"]
    finally:
        engine.close()
    if code != 0:
        raise ExecError(said or f"{command[0]} ended with {code}")
    return said


def _frames(stream: Any) -> Iterator[bytes]:
    """The parts of a multiplexed stream (https://docs.docker.com/reference/api/engine/, "attach")."""
    from docker.utils.socket import frames_iter

    for _, part in frames_iter(stream, tty=False):  # type: ignore[no-untyped-call]
        yield part
