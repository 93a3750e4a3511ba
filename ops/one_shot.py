"""A container that runs one command in a stack's backend image, beside the stack, and is removed."""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components import labels
from components.hardening.kinds import Kind
from ops.engine import Document, containers, remove_container
from ops.errors import ExitCode, OperationError
from ops.hardened import create, rotated_log

if TYPE_CHECKING:
    from docker import APIClient

SECRETS_DIRECTORY = "/run/secrets"
MEMORY_BYTES, CORES, PROCESSES = 256 * 1024 * 1024, 1.0, 100


@dataclass(frozen=True)
class OneShot:
    """What is to run, and as part of what. `environment` holds no secret: those are files."""

    kind: Kind
    image: str
    user: str
    command: Sequence[str]
    environment: Mapping[str, str]
    secrets_volume: str | None
    network: str
    labels: Mapping[str, str]

    def arguments(self) -> dict[str, Any]:
        """The container's declaration for the engine's API, but for its limits and mounts."""
        return {
            "image": self.image,
            "command": list(self.command),
            "user": self.user,
            "environment": dict(self.environment),
            "labels": dict(self.labels),
            # The image's own check is for the server that it usually runs.
            "healthcheck": {"test": ["NONE"]},
        }

    def host_arguments(self) -> dict[str, Any]:
        """Its limits and mounts, hardened as every container of a stack."""
        mounts = [
            {"Target": SECRETS_DIRECTORY, "Source": volume, "Type": "volume", "ReadOnly": True}
            for volume in [self.secrets_volume]
            if volume is not None
        ]
        return {
            "network_mode": self.network,
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "mem_limit": MEMORY_BYTES,
            "memswap_limit": MEMORY_BYTES,
            "nano_cpus": round(CORES * 1e9),
            "pids_limit": PROCESSES,
            "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=64m"},  # noqa: S108 - inside the container
            "init": True,
            "mounts": mounts,
            "log_config": rotated_log(),
        }


def beside(backend: Document, kind: Kind, command: Sequence[str], network: str) -> OneShot:
    """A one-shot that is what a backend is, by the engine's document of it: image, user, plain
    variables, secret files; on one network only, and of another kind."""
    config = backend["Config"]
    variables = (variable.partition("=") for variable in config["Env"] or ())
    volumes = {mount["Destination"]: mount.get("Name") for mount in backend["Mounts"]}
    own = {key: value for key, value in config["Labels"].items() if key.startswith("medianest.")}
    own.pop(labels.RELEASE, None)
    return OneShot(
        kind=kind,
        image=backend["Image"],
        user=config["User"],
        command=command,
        environment={name: value for name, _, value in variables},
        secrets_volume=volumes.get(SECRETS_DIRECTORY),
        network=network,
        labels={**own, labels.COMPONENT: kind.component},
    )


class Running:
    """A started one-shot. `lines` gives ("stdout" or "stderr", line) as they come, and None at the end."""

    def __init__(self, api: APIClient, container: str) -> None:
        self._api = api
        self._container = container
        self.lines: queue.Queue[tuple[str, str] | None] = queue.Queue()
        # Attached before it starts, so that no line is missed.
        stream = api.attach(container, stdout=True, stderr=True, stream=True, logs=True, demux=True)
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def signal(self, name: str) -> None:
        """Send a signal, unless it has ended."""
        from docker.errors import APIError

        with suppress(APIError):
            self._api.kill(self._container, name)

    def exit_code(self) -> int:
        """Waits for its end."""
        return int(self._api.wait(self._container)["StatusCode"])

    def _read(self, stream: Iterator[tuple[bytes | None, bytes | None]]) -> None:
        rests = {"stdout": b"", "stderr": b""}
        try:
            for chunks in stream:
                for name, chunk in zip(rests, chunks, strict=True):
                    *whole, rests[name] = (rests[name] + (chunk or b"")).split(b"\n")
                    for line in whole:
                        self.lines.put((name, line.decode(errors="replace")))
            for name, rest in rests.items():
                if rest:
                    self.lines.put((name, rest.decode(errors="replace")))
        finally:
            self.lines.put(None)


@contextmanager
def running(api: APIClient, project: str, stack: str, one_shot: OneShot) -> Iterator[Running]:
    """Run it until the block ends, then remove it. Raises OperationError when it cannot start."""
    from docker.errors import APIError

    component = one_shot.kind.component
    _refuse_a_second(api, project, stack, component)
    name = f"{project}-{stack}-{component}-{secrets.token_hex(3)}"
    try:
        host = api.create_host_config(**one_shot.host_arguments())
        created = create(api, one_shot.kind, **one_shot.arguments(), name=name, host_config=host)
    except APIError as error:
        raise OperationError(f"the container {name} cannot be made: {error.explanation or error}") from error
    try:
        started = Running(api, created)
        try:
            api.start(created)
        except APIError as error:
            raise OperationError(
                f"{one_shot.command[0]} cannot be started in the backend's image: "
                f"{error.explanation or error}",
                "Correct the command in the settings.",
            ) from error
        yield started
    finally:
        remove_container(api, created)


def _refuse_a_second(api: APIClient, project: str, stack: str, component: str) -> None:
    """Remove what a killed run has left; refuse while another one is under way."""
    for item in of_component(api, project, stack, component):
        name = item["Names"][0].lstrip("/")
        if item["State"] == "running":
            raise OperationError(
                f"a {component} of stack {stack} is under way in container {name}",
                f"Wait for its end, or end it: docker stop {name}",
                ExitCode.REFUSED,
            )
        if item["State"] in ("exited", "dead"):
            remove_container(api, item["Id"])


def of_component(api: APIClient, project: str, stack: str, component: str) -> list[Document]:
    """The containers of one component, as the engine lists them."""
    return [
        item
        for item in containers(api, project, stack)
        if (item["Labels"] or {}).get(labels.COMPONENT) == component
    ]
