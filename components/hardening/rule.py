"""What a rule is, and what it is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# A container as the engine's API describes it: Config, HostConfig, and of one that is there State,
# Mounts and NetworkSettings. Source: https://docs.docker.com/reference/api/engine/ (ContainerInspect)
Document = Mapping[str, Any]


class Process(Protocol):
    """What the kernel tells of a process. Source: https://man7.org/linux/man-pages/man5/proc.5.html"""

    @property
    def status(self) -> Mapping[str, str]:
        """The fields of /proc/PID/status."""

    @property
    def mounts(self) -> str:
        """/proc/PID/mountinfo."""

    def listening_ports(self) -> set[int]:
        """TCP ports that are listened on in its network."""


@dataclass(frozen=True)
class Observed:
    """A container that is there, and all that can be seen of it.

    `commands` are the engine's documents of commands run in it beside its own, `engine_security` the
    security features that the engine names (SecurityOptions of its /info).
    """

    inspected: Document
    processes: Sequence[Process] = ()
    set_user_id_files: Sequence[str] = ()
    commands: Sequence[Document] = ()
    engine_security: Sequence[str] = ()


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True)
class Rule:
    """One rule.

    `items` are those of the CIS Docker Benchmark 1.6.0 that it answers. `configured` decides on a
    container's configuration, declared or inspected; `observed` on what more can be seen of one that
    is there. `undeclared` says why the declaration alone cannot tell; it is empty where it can.
    """

    name: str
    reason: str
    items: Sequence[str] = ()
    configured: Callable[[Document], bool] = _always
    observed: Callable[[Observed], bool] = _always
    undeclared: str = ""

    def holds(self, container: Observed) -> bool:
        """Whether a container that is there keeps it."""
        return self.configured(container.inspected) and self.observed(container)


def field(document: Document, *path: str) -> Any:
    """A value of a document; None where it has no such place."""
    value: Any = document
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
