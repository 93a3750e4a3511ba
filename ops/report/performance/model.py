"""What a report on performance is made of, and what its figures say. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ops.report.performance.questions import Question

Points = Sequence[tuple[float, float]]
# Less than this much between the first and the last third is no change: load is never the same.
CHANGED = 0.1
BARS = "▁▂▃▄▅▆▇█"
SPARKS = 40


@dataclass(frozen=True)
class Line:
    """One line of a plot: (seconds since 1970, figure), the oldest first."""

    name: str
    points: Points

    @property
    def values(self) -> list[float]:
        return [value for _, value in self.points]

    @property
    def mean(self) -> float:
        return sum(self.values) / len(self.points)

    @property
    def change(self) -> float | None:
        """By how much the last third lies above the first, as a share of it; None where that says nothing."""
        third = len(self.points) // 3
        if third == 0:
            return None
        first, last = (sum(part) / third for part in (self.values[:third], self.values[-third:]))
        return (last - first) / first if first else None


@dataclass(frozen=True)
class Trend:
    """One question with its answer."""

    question: Question
    lines: Sequence[Line]

    @property
    def over(self) -> float | None:
        """The share of the time that the worst line spent above the warning; None where there is no level."""
        warning = self.question.warning
        judged = [line for line in self.lines if self.question.judged in ("", line.name)]
        if warning is None or not judged:
            return None
        return max(sum(value > warning for value in line.values) / len(line.points) for line in judged)


@dataclass(frozen=True)
class Route:
    """What one route took. Times in milliseconds; `share` of the time of all routes."""

    route: str
    method: str
    requests: float
    mean_ms: float
    p95_ms: float | None
    share: float


@dataclass(frozen=True)
class Statement:
    """What one kind of statement took in Postgres, without the values in it. Times in milliseconds."""

    text: str
    calls: int
    total_ms: float
    mean_ms: float
    longest_ms: float
    rows: int


@dataclass(frozen=True)
class DeployMark:
    """An update on the time line."""

    at: float
    release: str
    succeeded: bool
    by: str = ""
    commit: str = ""


@dataclass(frozen=True)
class Performance:
    """The whole report. `missing` has one sentence for each thing that could not be had."""

    stack: str
    start: float
    end: float
    step: float
    trends: Sequence[Trend] = ()
    routes: Sequence[Route] = ()
    statements: Sequence[Statement] = ()
    statements_since: str = ""
    deploys: Sequence[DeployMark] = ()
    missing: Sequence[str] = field(default_factory=list)


def read_routes(answers: Mapping[str, Mapping[tuple[str, str], float]]) -> list[Route]:
    """The routes, the slowest first: by what was asked for, figures by (route, method)."""
    requests, took = answers.get("requests", {}), answers.get("seconds", {})
    p95 = answers.get("p95", {})
    whole = sum(took.values())
    found = [
        Route(
            route=key[0],
            method=key[1],
            requests=count,
            mean_ms=1000 * took.get(key, 0.0) / count,
            p95_ms=1000 * p95[key] if key in p95 else None,
            share=took.get(key, 0.0) / whole if whole else 0.0,
        )
        for key, count in requests.items()
        # Of a route that was not asked for in this time nothing can be said.
        if count > 0
    ]
    return sorted(found, key=lambda route: (-(route.p95_ms or 0.0), -route.mean_ms, route.route))


def in_words(line: Line, better: str = "") -> str:
    """Whether a line changed from the beginning of the span to its end. `better` is the good way to go."""
    change = line.change
    if change is None:
        return "-" if any(line.values) else "steady"
    if abs(change) < CHANGED:
        return "steady"
    way = "up" if change > 0 else "down"
    judged = {"": "", way: " (better)"}.get(better, " (worse)")
    return f"{way} {abs(change):.0%}{judged}"


def spark(line: Line) -> str:
    """A line as a row of bars, from nothing to its highest figure."""
    values = line.values
    if len(values) > SPARKS:
        size = len(values) / SPARKS
        parts = [
            values[int(index * size) : max(int((index + 1) * size), int(index * size) + 1)]
            for index in range(SPARKS)
        ]
        values = [sum(part) / len(part) for part in parts]
    highest = max(values, default=0.0)
    if highest <= 0:
        return BARS[0] * len(values)
    return "".join(BARS[min(len(BARS) - 1, int(max(value, 0.0) / highest * len(BARS)))] for value in values)


def figure(value: float, unit: str) -> str:
    """A figure with its unit, in three digits or so."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f} {unit}".strip()


def moment(at: float) -> str:
    """A time in the zone of this machine, to the minute."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
