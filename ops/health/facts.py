"""What the checks of a stack's health are judged by. No decision is made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Workers:
    """Worker processes of one replica, as its figures tell. `failed` counts since its start."""

    wanted: int
    healthy: int
    failed: int


@dataclass(frozen=True)
class Replica:
    """One backend. `start_seconds` is from its start to healthy, None where the engine forgot it.

    `services` has a word for each service, out of its health document; None where it did not answer,
    and then `unanswered` says why. `workers` is None where it shows no figures.
    """

    name: str
    state: str
    health: str = ""
    uptime_seconds: float = 0.0
    start_seconds: float | None = None
    memory_bytes: int | None = None
    services: Mapping[str, str] | None = None
    status: str = ""
    unanswered: str = ""
    workers: Workers | None = None
    log: Sequence[str] = ()

    @property
    def serves(self) -> bool:
        return self.state == "running" and self.health == "healthy"


@dataclass(frozen=True)
class Build:
    """How long the build of the image took: `seconds`, and where that is from. None where nobody knows,
    and then `source` says why."""

    seconds: float | None
    source: str


@dataclass(frozen=True)
class TokenAnswer:
    """What the backend answered when it was asked to issue a token and verify it. `status` is 0 where it
    did not answer, and `said` why."""

    status: int
    took_ms: float = 0.0
    said: str = ""


@dataclass(frozen=True)
class HealthFacts:
    """All facts of one look at a stack.

    `pong` is what Redis said to a PING, or why it said nothing. `worker_failures` is within an hour, in all
    replicas, as Prometheus has it; None where it does not tell. `total_bytes` is what all containers hold.
    """

    replicas: Sequence[Replica] = ()
    build: Build = field(default_factory=lambda: Build(None, "it was not looked for"))
    pong: str = ""
    token: TokenAnswer | None = None
    worker_failures: float | None = None
    total_bytes: int | None = None
