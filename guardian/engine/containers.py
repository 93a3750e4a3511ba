"""A container of the stack, read from the engine's documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from guardian.labels import COMPONENT, RELEASE

Document = Mapping[str, Any]

_FRACTION = re.compile(r"\.(\d{1,9})")


class Health(StrEnum):
    """The word of the container's own health check; `NONE` where it has none."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    STARTING = "starting"
    NONE = "none"


@dataclass(frozen=True)
class Container:
    """What is known of one container. `state` is the engine's word: running, exited, paused, …

    Times are in seconds since 1970, 0 where there is none; limits are 0 where there is none, that of the
    processor in cores. `stop_seconds` is how long it is given to stop;
    `addresses` has one for each network.
    """

    id: str
    name: str
    component: str
    state: str = "running"
    health: Health = Health.HEALTHY
    release: str = ""
    created: float = 0.0
    started: float = 0.0
    exit_code: int = 0
    oom_killed: bool = False
    restarts: int = 0
    memory_limit: int = 0
    cpu_limit: float = 0.0
    processes_limit: int = 0
    stop_seconds: int = 10
    addresses: Mapping[str, str] = field(default_factory=dict)

    @property
    def serves(self) -> bool:
        """Whether it is up, says that it is well, and can be reached."""
        return (
            self.state == "running" and self.health in (Health.HEALTHY, Health.NONE) and bool(self.addresses)
        )


def container(document: Document) -> Container:
    """A container as `inspect` tells of it."""
    state, config, host = document["State"], document["Config"], document["HostConfig"]
    networks = (document.get("NetworkSettings") or {}).get("Networks") or {}
    labels = config.get("Labels") or {}
    return Container(
        id=document["Id"],
        name=document["Name"].lstrip("/"),
        component=labels.get(COMPONENT, ""),
        state=state["Status"],
        health=_health((state.get("Health") or {}).get("Status")),
        release=labels.get(RELEASE, ""),
        created=seconds(document.get("Created", "")),
        started=seconds(state.get("StartedAt", "")),
        exit_code=state.get("ExitCode", 0),
        oom_killed=bool(state.get("OOMKilled")),
        restarts=document.get("RestartCount", 0),
        memory_limit=host.get("Memory") or 0,
        cpu_limit=(host.get("NanoCpus") or 0) / 1e9,
        processes_limit=host.get("PidsLimit") or 0,
        stop_seconds=config.get("StopTimeout") or 10,
        addresses={name: item["IPAddress"] for name, item in networks.items() if item.get("IPAddress")},
    )


def never_runs(document: Document) -> bool:
    """Of a listed container: whether it only took files into a volume."""
    return document["State"] == "created" and (document.get("HostConfig") or {}).get("NetworkMode") == "none"


def fingerprint(document: Document) -> tuple[str, ...]:
    """Of a listed container: what changes when its state does, without the time that goes by."""
    health = re.search(r"\((healthy|unhealthy|health: starting)\)", document.get("Status", ""))
    networks = (document.get("NetworkSettings") or {}).get("Networks") or {}
    # No event of a container tells that it was cut from a network.
    reached = (f"{name} {item.get('IPAddress')}" for name, item in sorted(networks.items()))
    return document["State"], health.group(1) if health else "", *reached


def seconds(text: str) -> float:
    """A moment as the engine writes it, since 1970; 0 for the moment that stands for none."""
    if not text or text.startswith("0001-"):
        return 0.0
    # Nanoseconds are more than Python reads.
    shorter = _FRACTION.sub(lambda digits: "." + digits.group(1)[:6].ljust(6, "0"), text)
    moment = datetime.fromisoformat(shorter.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _health(word: str | None) -> Health:
    return Health(word) if word in list(Health) else Health.NONE
