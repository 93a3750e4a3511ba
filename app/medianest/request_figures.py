"""What is counted of requests, for /metrics. Plain numbers: two look-ups and two additions a request."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

# Seconds. Around the goals (milliseconds) and the thresholds (0.5 s and 2 s).
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
# Of clients' inventing there is no end, and every label value is kept for ever.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


@dataclass
class Durations:
    """How long things took: how many fell into each bucket (the last one has no upper end), and the sum."""

    bounds: tuple[float, ...] = BUCKETS
    buckets: list[int] = field(default_factory=list)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.buckets = self.buckets or [0] * (len(self.bounds) + 1)

    @property
    def count(self) -> int:
        return sum(self.buckets)

    def add(self, seconds: float) -> None:
        self.buckets[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds

    def merge(self, other: Durations) -> None:
        """Add what another one, with the same buckets, has counted."""
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, other.buckets, strict=True)]
        self.seconds += other.seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """The buckets as Prometheus wants them: each with its upper end, counting all below it."""
        found, total = [], 0
        for bound, count in zip((*self.bounds, "+Inf"), self.buckets, strict=True):
            total += count
            found.append((str(bound), float(total)))
        return found


class RequestFigures:
    """Requests by route template, method and status. Paths would be without bound, templates are not."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.finished: dict[tuple[str, str, int], Durations] = {}

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request has ended."""
        key = (route, method if method in _METHODS else "other", status)
        durations = self.finished.get(key)
        if durations is None:
            durations = self.finished[key] = Durations()
        durations.add(seconds)
