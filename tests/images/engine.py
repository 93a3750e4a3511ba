"""Containers for tests: hardened as a stack's are, found by a label, and removed with all they made."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import docker
from docker.models.containers import Container
from docker.models.networks import Network
from docker.models.volumes import Volume
from docker.types import EndpointConfig

from tests.harness import volume_files
from tests.harness.volume_files import File, packed
from tests.harness.waiting import until

LABEL = "medianest.test"


class Engine:
    """Makes containers, volumes and networks that carry a label of this run."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client
        self._run = uuid.uuid4().hex[:8]
        self.labels = {LABEL: self._run}
        self._number = 0

    def _name(self, kind: str) -> str:
        self._number += 1
        return f"test-images-{self._run}-{kind}-{self._number}"

    def network(self) -> Network:
        return self._client.networks.create(self._name("network"), labels=self.labels)

    def volume(self) -> Volume:
        return self._client.volumes.create(self._name("volume"), labels=self.labels)

    def files(self, image: str, files: Mapping[str, File], path: str = "/files") -> Volume:
        """A volume with `files` by name; it belongs to whom `path` belongs in the image."""
        volume = self.volume()
        self.write(image, volume, files, path)
        return volume

    def write(self, image: str, volume: Volume, files: Mapping[str, File], path: str = "/files") -> None:
        """Write files into a volume through a container that is never started, as a stack does."""
        volume_files.write(self._client, image, str(volume.name), path, packed(files), self.labels)

    def start(
        self,
        image: str,
        command: Sequence[str] = (),
        *,
        volumes: Mapping[str, str] | None = None,
        tmpfs: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        network: Network | None = None,
        alias: str | None = None,
        publish: int | None = None,
        memory: str = "256m",
    ) -> Container:
        """Start a container; `volumes` maps "PATH" or "PATH:ro" to a volume's name."""
        attachments: dict[str, EndpointConfig] | None = None
        if network and alias:
            attachments = {str(network.name): EndpointConfig("1.41", aliases=[alias])}
        # Probed more often than the image asks for, as a stack does.
        second = 1_000_000_000
        probe = self._client.images.get(image).attrs["Config"]["Healthcheck"]["Test"]
        return self._client.containers.run(
            image,
            list(command),
            detach=True,
            name=self._name("container"),
            labels=self.labels,
            healthcheck={"test": probe, "interval": second // 4, "timeout": 2 * second, "retries": 20},
            volumes=[f"{name}:{path}" for path, name in (volumes or {}).items()],
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=16m", **(tmpfs or {})},
            environment=dict(environment or {}),
            network=network.name if network else None,
            networking_config=attachments,
            ports={f"{publish}/tcp": ("127.0.0.1", 0)} if publish else None,
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            init=True,
            mem_limit=memory,
            memswap_limit=memory,
            pids_limit=100,
        )

    def output(
        self,
        image: str,
        command: Sequence[str],
        *,
        volume: str | None = None,
        entrypoint: str | None = None,
        user: str | None = None,
    ) -> str:
        """What a command prints that is run in a container without a network; `volume` is "NAME:PATH:ro".

        Raises ContainerError where it fails. The container goes at the end of the test, as all others.
        """
        said = self._client.containers.run(
            image,
            list(command),
            labels=self.labels,
            volumes=[volume] if volume else [],
            entrypoint=entrypoint,
            user=user,
            network_mode="none",
        )
        assert isinstance(said, bytes)
        return said.decode()

    def clean_up(self) -> None:
        """Remove what this run made."""
        mine: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={self._run}"}
        for container in self._client.containers.list(all=True, ignore_removed=True, filters=mine):
            container.remove(force=True, v=True)
        for network in self._client.networks.list(filters=mine):
            network.remove()
        for volume in self._client.volumes.list(filters=mine):
            volume.remove()


def health(container: Container) -> str:
    container.reload()
    return str(container.attrs["State"]["Health"]["Status"])


def wait_healthy(container: Container) -> None:
    """Raises AssertionError with the container's log when it ends instead."""

    def healthy() -> bool:
        state = health(container)
        assert container.status == "running", logs(container)
        return state == "healthy"

    until(healthy, f"{container.name} healthy")


def exit_code(container: Container) -> int:
    """Wait for the container to end."""
    return int(container.wait(timeout=30)["StatusCode"])


def logs(container: Container) -> str:
    return bytes(container.logs(stream=False)).decode(errors="replace")


def published_port(container: Container, port: int) -> int:
    container.reload()
    (binding,) = container.ports[f"{port}/tcp"] or []
    return int(binding["HostPort"])
