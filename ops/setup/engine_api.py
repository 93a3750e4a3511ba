"""One question to the engine's API.

Asked before every command, so it is asked with the standard library where the engine is on this
machine: to import the Docker SDK takes longer than all the answers together.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.docker_endpoint import DockerEndpoint, find_endpoint
from ops.errors import ExitCode, OperationError

if TYPE_CHECKING:
    from docker import DockerClient

ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Answer:
    """An answer of the engine: HTTP status and JSON document."""

    status: int
    document: Any


def ask(path: str, environ: Mapping[str, str] | None = None) -> Answer | None:
    """GET `path` of the engine that the user means; None when nothing there answers within a few seconds.

    Raises OperationError as `connect` does.
    """
    environ = os.environ if environ is None else environ
    endpoint = find_endpoint(environ, Path.home())
    try:
        return _ask_socket(endpoint.socket, path) if endpoint.socket else _ask_sdk(environ, endpoint, path)
    except (OSError, HTTPException, ValueError):
        return None


def connect(environ: Mapping[str, str] | None = None, timeout: float = 60.0) -> DockerClient:
    """A client of the engine that the user means, contexts included. Does not ask the engine yet.

    `timeout` is in seconds, for one answer. Raises OperationError for an unknown context and for
    variables that cannot be used.
    """
    environ = os.environ if environ is None else environ
    return _client(environ, find_endpoint(environ, Path.home()), timeout)


class _SocketConnection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_SECONDS)
        self.sock.connect(str(self._path))


def _ask_socket(socket_path: Path, path: str) -> Answer:
    connection = _SocketConnection(socket_path)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, json.load(response))
    finally:
        connection.close()


def _ask_sdk(environ: Mapping[str, str], endpoint: DockerEndpoint, path: str) -> Answer | None:
    from docker.errors import DockerException

    try:
        api = _client(environ, endpoint, ANSWER_SECONDS).api
        response = api.get(f"{api.base_url}{path}", timeout=ANSWER_SECONDS)
    except DockerException:
        return None
    # Not a JSON document: something answers there that is no engine (ValueError).
    return Answer(response.status_code, response.json())


def _client(environ: Mapping[str, str], endpoint: DockerEndpoint, timeout: float) -> DockerClient:
    from docker import DockerClient
    from docker.errors import DockerException

    try:
        # A fixed API version spares a question: the oldest that set-up lets pass (versions.toml).
        return DockerClient.from_env(
            environment={**environ, **endpoint.variables},
            version="1.41",
            timeout=timeout,  # type: ignore[arg-type]
        )
    except (DockerException, OSError, ValueError) as error:
        raise OperationError(
            f"the Docker engine at {endpoint.host} cannot be used: {error}",
            "Mend DOCKER_HOST, DOCKER_CERT_PATH or the Docker context.",
            ExitCode.REFUSED,
        ) from error
