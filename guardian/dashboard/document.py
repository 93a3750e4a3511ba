"""What the dashboard shows, as one document: its parts, with their units. It becomes JSON as it is.

Times are in seconds since 1970, sizes in bytes, durations in seconds. None stands for what is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Word(StrEnum):
    """The verdict in a word."""

    WELL = "well"
    DEGRADED = "degraded"
    DOWN = "down"
    DEPLOYING = "deploying"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    """How the stack is, and why that is said."""

    word: Word
    reason: str


@dataclass(frozen=True)
class Stale:
    """What is not of now, in a sentence each, empty where it is: what the engine told, and the figures."""

    engine: str = ""
    figures: str = ""


@dataclass(frozen=True)
class Traffic:
    """What clients get. `requests` a second; `error_ratio` is the share that fails, 0 to 1."""

    requests: float | None = None
    error_ratio: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True)
class Route:
    """The same of one route of the backend's."""

    route: str
    requests: float
    error_ratio: float | None
    p95: float | None


@dataclass(frozen=True)
class Use:
    """One container. `cores` are of the processor; a limit of 0 is none."""

    component: str
    container: str
    well: bool
    state: str
    health: str
    release: str
    since: float
    restarts: int
    memory: int | None
    memory_limit: int
    cores: float | None
    cores_limit: float
    processes: int | None
    processes_limit: int


@dataclass(frozen=True)
class Resources:
    """Pools, queue, workers, cache, of all replicas together."""

    database_active: float | None = None
    database_idle: float | None = None
    database_waiting: float | None = None
    postgres_connections: float | None = None
    queued: float | None = None
    queue_age: float | None = None
    workers_wanted: float | None = None
    workers_healthy: float | None = None
    workers_busy: float | None = None
    workers_failed_hour: float | None = None
    cache_up: float | None = None
    cache_hit_ratio: float | None = None
    redis_memory: float | None = None
    redis_memory_limit: float | None = None


@dataclass(frozen=True)
class AlertRow:
    """An alert that fires, or is about to (`pending`)."""

    state: str
    name: str
    severity: str
    component: str
    container: str
    summary: str
    runbook: str
    since: float


@dataclass(frozen=True)
class Healing:
    """`entries` of the journal, the newest first; `given_up` is what is not healed any more."""

    entries: Sequence[Mapping[str, object]] = ()
    given_up: Sequence[str] = ()


@dataclass(frozen=True)
class Release:
    """A release that has containers, and since when it has them."""

    release: str
    since: float
    containers: Sequence[str]


@dataclass(frozen=True)
class Document:
    """All of it. `seen_at` is when the engine was looked at, `figures_at` when Prometheus last answered.
    `watched` is false where the stack has no monitoring: then there are no figures, and no healer."""

    stack: str
    now: float
    verdict: Verdict
    seen_at: float = 0.0
    figures_at: float = 0.0
    watched: bool = True
    stale: Stale = Stale()
    traffic: Traffic = Traffic()
    routes: Sequence[Route] = ()
    containers: Sequence[Use] = ()
    resources: Resources = Resources()
    alerts: Sequence[AlertRow] = ()
    healing: Healing = Healing()
    deploying: str = ""
    releases: Sequence[Release] = ()
    drift: Sequence[str] = field(default_factory=tuple)
