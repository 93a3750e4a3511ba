"""The facts that the preflight judges, and how they are gathered. No decision is made here."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ops.docker_endpoint import DEFAULT_HOST
from ops.preflight.ports import PortHolder, find_listener, publishing_container

if TYPE_CHECKING:
    from docker import APIClient


@dataclass(frozen=True)
class EngineFacts:
    """What the engine says of itself. Sizes in bytes; disk is None where its disk is not this machine's."""

    version: str
    api_version: str
    memory: int
    free_disk: int | None
    data_root: str


@dataclass(frozen=True)
class PortFacts:
    """A port that something of the stack is to be published on."""

    address: str
    port: int
    holder: PortHolder | None


def gather_engine(api: APIClient, local: bool) -> EngineFacts:
    """Ask the engine. `local` says whether it is on this machine, so that its disk can be looked at."""
    version, info = api.version(), api.info()
    data_root = info["DockerRootDir"]
    return EngineFacts(
        version=version["Version"],
        api_version=version["ApiVersion"],
        memory=info["MemTotal"],
        free_disk=free_bytes(Path(data_root)) if local else None,
        data_root=data_root,
    )


def free_bytes(path: Path) -> int | None:
    """Free bytes where a path is, or would be; None where that cannot be told."""
    for existing in (path, *path.parents):
        try:
            return shutil.disk_usage(existing).free
        except PermissionError:
            return None
        except OSError:
            continue
    return None


def gather_port(api: APIClient, address: str, port: int, local: bool) -> PortFacts:
    """Who holds a port: a container of the engine, or a process of this machine."""
    holder = publishing_container(api.containers(), address, port)
    if holder is None and local and not can_bind(address, port):
        holder = find_listener(address, port)
    return PortFacts(address, port, holder)


def can_bind(address: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as server:
        # As Docker's proxy does: connections that linger from a former server are no obstacle.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((address, port))
            server.listen(1)
        except PermissionError:
            # A low port that the engine may use though we may not.
            return True
        except OSError:
            return False
    return True


def is_local(environment: Mapping[str, str]) -> bool:
    """Whether the engine is on this machine: it is reached through a socket file."""
    return environment.get("DOCKER_HOST", DEFAULT_HOST).startswith("unix://")
