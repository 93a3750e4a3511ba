"""The client that a suite talks to the engine with, and sees afterwards that it has left no volume there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import requests


@contextmanager
def docker_client() -> Iterator[docker.DockerClient]:
    """Raises AssertionError at the end where a volume is left that a container of this client's had.

    A volume that an image asks for has no name and no label: it goes with its container, or stays for good.
    """
    client = docker.from_env()
    try:
        used = _volumes_used(client)
        yield client
        left = used & {str(volume.name) for volume in client.volumes.list()}
    finally:
        client.close()
    assert not left, f"volumes of containers that were removed without them: {sorted(left)}"


def _volumes_used(client: docker.DockerClient) -> set[str]:
    """Filled with the volumes of each container as it is made, by whichever method of the SDK."""
    used: set[str] = set()

    def note(answer: requests.Response, *_: Any, **__: Any) -> None:
        request = answer.request
        if request.method == "POST" and (request.path_url.split("?")[0]).endswith("/containers/create"):
            if answer.status_code != 201:
                return
            mounts = client.api.inspect_container(answer.json()["Id"])["Mounts"]
            used.update(mount["Name"] for mount in mounts if mount["Type"] == "volume")

    client.api.hooks["response"].append(note)
    return used
