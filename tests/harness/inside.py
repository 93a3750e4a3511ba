"""What a command in a container says."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from docker.models.containers import Container

from components.exec_stream import ExecStream
from ops.inside import ask


def run(container: Container, *command: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a command in a container: its exit code, and what it says, without white space around it."""
    assert container.client
    api = container.client.api
    made = api.exec_create(container.id, list(command), environment=dict(environment or {}))["Id"]
    with closing(ExecStream(api, made)) as stream:
        said = b"".join(part for _, part in stream.parts())
        return stream.exit_code(), said.decode(errors="replace").strip()


def output_of(container: Container, *command: str) -> str:
    """What a command in a container prints. Raises AssertionError where it fails, and does not show it."""
    code, said = run(container, *command)
    assert code == 0
    return said


def secret(container: Container, name: str) -> str:
    """The value of a secret of a container's own."""
    return output_of(container, "cat", f"/run/secrets/{name}")


def get(container: Container, port: int, path: str) -> str:
    """What answers a GET on a port of a container's own loopback."""
    assert container.client
    return ask(container.client.api, str(container.id), "127.0.0.1", port, path).text
