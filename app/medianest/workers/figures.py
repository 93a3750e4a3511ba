"""What the pool counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from medianest.workers.errors import Ending


@dataclass
class PoolCounts:
    """Since the start of the pool. A task is counted once, as completed, failed or cancelled, however
    often it was tried; one that was handed back at the end is in none of them."""

    tasks_completed: int = 0
    tasks_failed: int = 0
    tasks_cancelled: int = 0
    tasks_refused: int = 0
    tasks_retried: int = 0
    workers_created: int = 0
    workers_terminated: Counter[Ending] = field(default_factory=Counter)
    starts_failed: int = 0


@dataclass(frozen=True)
class WorkerFigures:
    """A worker that is up."""

    pid: int
    resident_bytes: int
    busy: bool


@dataclass(frozen=True)
class PoolFigures:
    """The pool at one moment. `healthy` of `size` workers are up, or are being replaced and have not
    failed to start; `workers` are those that are up."""

    size: int
    healthy: int
    busy: int
    queued: int
    queue_limit: int
    oldest_queued_seconds: float
    tasks_completed: int
    tasks_failed: int
    tasks_cancelled: int
    tasks_refused: int
    tasks_retried: int
    workers_created: int
    workers_terminated: Mapping[Ending, int]
    starts_failed: int
    workers: tuple[WorkerFigures, ...]

    @property
    def saturation(self) -> float:
        """Tasks at hand for each worker: at 1 all are busy, above it tasks wait."""
        return (self.busy + self.queued) / self.size


def state_of(healthy: int, size: int) -> str:
    """`healthy`, `degraded` with fewer than all workers, `unhealthy` with fewer than half."""
    if healthy * 2 < size:
        return "unhealthy"
    return "healthy" if healthy == size else "degraded"
