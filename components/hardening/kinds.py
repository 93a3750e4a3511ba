"""The kinds of containers, and what each does not keep of the rules, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from components import labels
from components.hardening import rule
from components.hardening.rule import Document, Observed, Rule
from components.hardening.rules import RULES

# Where the engine proxy finds the engine's socket.
SOCKET = "/var/run/docker.sock"


class HardeningError(Exception):
    """A container that breaks a rule. The message names the container and every rule."""


@dataclass(frozen=True)
class Kind:
    """One kind. `component` is the label of its containers, where it has one of its own.

    `exceptions` maps the names of rules that it does not keep to the reasons. A container is of the kind
    only if it `is_shaped` so: the label alone opens no way round the rules.
    """

    name: str
    component: str = ""
    exceptions: Mapping[str, str] = field(default_factory=dict)
    is_shaped: Callable[[Document], bool] = lambda _: True

    def rules(self) -> list[Rule]:
        """The rules that it keeps."""
        return [found for found in RULES if found.name not in self.exceptions]


_NEVER_RUNS = "no process ever runs in it"
_ONE_COMMAND = "it lives for one command, and whoever runs it sees how it ends"

SERVICE = Kind("service")
LOADER = Kind(
    "loader",
    exceptions={
        "numeric non-root user": _NEVER_RUNS,
        "read-only root file system": "the engine takes no files into a container with one",
        "all capabilities dropped": _NEVER_RUNS,
        "no new privileges": _NEVER_RUNS,
        "memory limit without swap": _NEVER_RUNS,
        "processor limit": _NEVER_RUNS,
        "process limit": _NEVER_RUNS,
        "health check that is waited for": _NEVER_RUNS,
        "init process": _NEVER_RUNS,
        "restart unless stopped": _NEVER_RUNS,
    },
)
VOLUME_HELPER = Kind(
    "volume helper",
    "one-shot",
    {
        "numeric non-root user": "it saves and restores files of any owner",
        "all capabilities dropped": "as root without capabilities it could not read or write them",
        "health check that is waited for": _ONE_COMMAND,
        "restart unless stopped": _ONE_COMMAND,
    },
)
SCRATCH_DATABASE = Kind(
    "scratch database",
    "scratch",
    {
        "health check that is waited for": "the test restore asks it itself",
        "restart unless stopped": "it is gone with its data when the test restore ends",
    },
)
SOAK = Kind(
    "soak",
    "soak",
    {"health check that is waited for": _ONE_COMMAND, "restart unless stopped": _ONE_COMMAND},
)
BASE_MAKING = Kind(
    "base image in the making",
    "base-making",
    {
        "numeric non-root user": "it installs packages",
        "read-only root file system": "its root file system becomes the image",
        "all capabilities dropped": "packages are installed with those that the engine gives",
        "own networks": "it is on no stack's networks, and fetches packages",
        "image named by its content": "it begins with a Debian that is named by its release",
        "no set-user-id files": "it is what takes their bits away",
        "health check that is waited for": _ONE_COMMAND,
        "restart unless stopped": _ONE_COMMAND,
    },
)


def _has_the_socket_alone(document: Document) -> bool:
    mounts = rule.field(document, "HostConfig", "Mounts") or []
    found = [(mount.get("Type"), mount.get("Target"), mount.get("ReadOnly")) for mount in mounts]
    return found == [("bind", SOCKET, True)] and not rule.field(document, "HostConfig", "Binds")


ENGINE_PROXY = Kind(
    "engine proxy",
    "engine-proxy",
    {
        "no mounts of the host's": "it keeps the engine's socket from everybody else,"
        " and has nothing beside it",
    },
    _has_the_socket_alone,
)
KINDS = (SERVICE, LOADER, VOLUME_HELPER, SCRATCH_DATABASE, SOAK, BASE_MAKING, ENGINE_PROXY)


def kind_of(document: Document) -> Kind:
    """The kind of a container that is there, or declared in Pulumi's program."""
    if rule.field(document, "State", "Status") == "created" and (
        rule.field(document, "HostConfig", "NetworkMode") == "none"
    ):
        return LOADER
    component = rule.field(document, "Config", "Labels", labels.COMPONENT)
    found = (kind for kind in KINDS if kind.component and kind.component == component)
    return next((kind for kind in found if kind.is_shaped(document)), SERVICE)


def broken_by_declaration(kind: Kind, document: Document) -> list[Rule]:
    """The rules that a declaration in Pulumi's program breaks, in the table's order."""
    return [rule for rule in kind.rules() if not rule.undeclared and not rule.configured(document)]


def broken_by_container(kind: Kind, container: Observed) -> list[Rule]:
    """The rules that a container that is there breaks, in the table's order."""
    return [rule for rule in kind.rules() if not rule.holds(container)]


def refuse_to_create(kind: Kind, name: str, config: Mapping[str, Any]) -> None:
    """Hold what the engine is about to be asked to create against the rules. Raises HardeningError.

    `config` is the body of the engine's ContainerCreate, which has HostConfig beside the rest.
    """
    document = {"Config": config, "HostConfig": config.get("HostConfig") or {}}
    broken = [rule for rule in kind.rules() if not rule.configured(document)]
    if broken:
        raise HardeningError(explain(name, broken))


def explain(name: str, broken: list[Rule]) -> str:
    """What a container breaks, in words."""
    return f"container {name} breaks: {'; '.join(f'{rule.name} ({rule.reason})' for rule in broken)}"
