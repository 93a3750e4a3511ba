"""The Docker engine: what is on it of a stack, found by labels. Documents are those of its API."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components import labels
from ops.docker_endpoint import DEFAULT_HOST
from ops.errors import ExitCode, OperationError

if TYPE_CHECKING:
    from docker import APIClient

Document = Mapping[str, Any]
TIMEOUT_SECONDS = 60
SSH = "ssh://"


def connect(environment: Mapping[str, str]) -> APIClient:
    """A connection to the engine that the environment names. Raises OperationError when none answers."""
    address = environment.get("DOCKER_HOST", DEFAULT_HOST)
    try:
        if address.startswith("unix://"):
            # Asked first: the SDK is slow to load, and leaves the socket open that did not connect.
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(address.removeprefix("unix://"))
        if not address.startswith(SSH):
            # The SDK would load it all the same, which takes a tenth of a second.
            sys.modules.setdefault("paramiko", None)  # type: ignore[arg-type]
        from docker import APIClient
        from docker.utils import kwargs_from_env

        try:
            return APIClient(
                **kwargs_from_env(environment=dict(environment)), version="auto", timeout=TIMEOUT_SECONDS
            )
        except failures(address) as error:
            raise ConnectionError(str(error)) from error
    except OSError as error:
        raise OperationError(
            f"no Docker engine answers at {address}",
            f"{error}. This has to work without a question: ssh {address.removeprefix(SSH)} docker version"
            if address.startswith(SSH)
            else "Start it, or run: ./medianest setup. DOCKER_HOST and `docker context` choose another one.",
            ExitCode.REFUSED,
        ) from error


def failures(address: str) -> tuple[type[Exception], ...]:
    """What the SDK raises where nobody answers: over SSH also what its library does."""
    from docker.errors import DockerException

    if not address.startswith(SSH):
        return (DockerException,)
    from paramiko import SSHException

    return DockerException, SSHException


@dataclass(frozen=True)
class Resource:
    """Something on the engine that carries the project's label."""

    kind: str
    id: str
    name: str
    labels: Mapping[str, str]

    @property
    def owner(self) -> str | None:
        return self.labels.get(labels.OWNER)

    @property
    def stack(self) -> str | None:
        return self.labels.get(labels.STACK)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def label_filter(
    project: str | None, stack: str | None = None, owner: str | None = None
) -> dict[str, list[str]]:
    """The engine's filter for what belongs to a project, a stack of it, one owner's stack."""
    wanted = {labels.PROJECT: project, labels.STACK: stack, labels.OWNER: owner}
    return {"label": [f"{label}={value}" for label, value in wanted.items() if value is not None]}


def containers(api: APIClient, project: str, stack: str | None = None) -> list[Document]:
    """Containers with their labels, running or not, as the engine lists them."""
    found: list[Document] = api.containers(all=True, filters=label_filter(project, stack))
    return found


def resources(
    api: APIClient, project: str, stack: str | None = None, *, images: bool = False
) -> list[Resource]:
    """Everything that carries the labels. Images are left out unless asked for: they hold no data."""
    wanted = label_filter(project, stack)
    found = [
        Resource("container", item["Id"], item["Names"][0].lstrip("/"), item["Labels"] or {})
        for item in containers(api, project, stack)
    ]
    found += [
        Resource("network", item["Id"], item["Name"], item["Labels"] or {})
        for item in api.networks(filters=wanted)
    ]
    found += [
        Resource("volume", item["Name"], item["Name"], item["Labels"] or {})
        for item in api.volumes(filters=wanted)["Volumes"] or ()
    ]
    if images:
        found += [
            Resource("image", item["Id"], _image_name(item), item["Labels"] or {})
            for item in api.images(filters=wanted)
        ]
    return found


def _image_name(image: Document) -> str:
    tags = image["RepoTags"] or ()
    return str(tags[0]) if tags else str(image["Id"]).removeprefix("sha256:")[:12]


def remove(api: APIClient, resource: Resource) -> None:
    """Remove one resource from the engine."""
    if resource.kind == "container":
        remove_container(api, resource.id)
    elif resource.kind == "network":
        api.remove_network(resource.id)
    elif resource.kind == "volume":
        api.remove_volume(resource.id)
    elif resource.kind == "image":
        # An image with several tags goes with all of them only by force.
        api.remove_image(resource.id, force=True)


def remove_container(api: APIClient, container: str) -> None:
    """Remove a container with its anonymous volumes; one that is gone already is fine."""
    from docker.errors import NotFound

    with suppress(NotFound):
        api.remove_container(container, force=True, v=True)


def drain_container(api: APIClient, container: str) -> None:
    """Let a container end what it is at, for the time that it has for that, and remove it."""
    from docker.errors import APIError, NotFound

    with suppress(NotFound):
        try:
            api.stop(container, timeout=api.inspect_container(container)["Config"].get("StopTimeout") or 10)
        except NotFound:
            raise
        except APIError:
            # One that cannot be stopped, such as a paused one, is removed all the same.
            pass
        remove_container(api, container)


def log_tail(api: APIClient, container: str, lines: int) -> list[str]:
    """The last lines of a container's log."""
    from docker.errors import APIError

    try:
        text = api.logs(container, stdout=True, stderr=True, tail=lines)
    except APIError:
        return []
    return text.decode(errors="replace").splitlines() if isinstance(text, bytes) else []
