"""What is wanted of a container, without a word on how an engine makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import pulumi

from components.settings import LimitSettings


class UpdatePolicy(Enum):
    """How a changed workload takes the place of the running one."""

    CREATE_FIRST = "create-first"
    """The new one is healthy before the old one is asked to drain and stop."""
    STOP_FIRST = "stop-first"
    """The old one stops first, since both cannot hold a volume or a published port at once."""


@dataclass(frozen=True)
class Mount:
    """A volume at a path."""

    volume: pulumi.Input[str]
    path: str
    read_only: bool = False


@dataclass(frozen=True)
class HostMount:
    """A file or directory of the host, at the same or another path. Against the rules, but for the
    exceptions of a kind (hardening/kinds.py)."""

    source: str
    path: str
    read_only: bool = True


@dataclass(frozen=True)
class Attachment:
    """A network, and the names under which the others on it find the workload."""

    network: pulumi.Input[str]
    aliases: Sequence[str]


@dataclass(frozen=True)
class PublishedPort:
    """A port of the workload on an address of the host."""

    address: str
    port: int
    target: int


@dataclass(frozen=True)
class Probe:
    """The command that tells a workload's health. Times in seconds."""

    command: Sequence[str]
    interval: float = 2.0
    timeout: float = 2.0
    retries: int = 3
    start_period: int = 60


@dataclass(frozen=True)
class Workload:
    """One or more equal containers.

    `tmpfs` maps paths to mount options; the root file system is read-only. `start_seconds` is how
    long the workload may take to get healthy, `grace_seconds` how long to stop. `groups` are numeric
    ids that its user belongs to beside its own group.
    """

    component: str
    image: pulumi.Input[str]
    user: str
    probe: Probe
    limits: LimitSettings
    networks: Sequence[Attachment]
    update: UpdatePolicy
    command: Sequence[str] | None = None
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    host_mounts: Sequence[HostMount] = ()
    groups: Sequence[int] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    published: PublishedPort | None = None
    replicas: int = 1
    start_seconds: int = 60
    grace_seconds: int = 10
