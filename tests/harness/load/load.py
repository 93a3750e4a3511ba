"""A steady load on one server while something happens to it, and what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.harness.load.client import READY
from tests.harness.load.plan import STEADY, Kind, Plan

ROOT = Path(__file__).parents[3]


# When the request was sent and when it ended, in seconds since the load began, and what went wrong.
Failure = tuple[float, float, str]


@dataclass
class Figures:
    """Of the requests of one kind: seconds, and counts by status or by the name of an error."""

    sent: int
    failed: int
    p50: float
    slowest: float
    answers: Counter[str]
    repeated: int
    failures: list[Failure]
    acknowledged: list[str]
    unanswered: list[str]


@dataclass
class Load:
    """A load; its figures are there when it is over."""

    plan: Plan
    kinds: dict[str, Figures] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def sent(self) -> int:
        return sum(figures.sent for figures in self.kinds.values())

    @property
    def failed(self) -> int:
        return sum(figures.failed for figures in self.kinds.values())

    @property
    def slowest(self) -> dict[str, float]:
        return {name: figures.slowest for name, figures in self.kinds.items()}

    @property
    def failures(self) -> dict[str, list[Failure]]:
        """By kind."""
        return {name: figures.failures for name, figures in self.kinds.items() if figures.failures}

    def unexpected(self, allowed: Collection[str]) -> dict[str, list[Failure]]:
        """Failures but for those that are `allowed`."""
        odd = {name: [one for one in seen if one[2] not in allowed] for name, seen in self.failures.items()}
        return {name: seen for name, seen in odd.items() if seen}

    def names(self, kind: str) -> tuple[list[str], list[str]]:
        """What was acknowledged, in order, and what got no answer, so that nobody knows."""
        found = [self.kinds[one.name] for one in self.plan.kinds if one.body == kind]
        return [name for one in found for name in one.acknowledged], [
            name for one in found for name in one.unanswered
        ]

    def show(self, title: str) -> None:
        """The figures, as a table that pytest prints where the test fails, or with -s."""
        table = Table(
            "request", "sent", "failed", "p50 ms", "slowest ms", "answers", title=title, title_justify="left"
        )
        for name, one in self.kinds.items():
            times = f"{one.p50 * 1000:.0f}", f"{one.slowest * 1000:.0f}"
            answers = ", ".join(f"{answer}: {count}" for answer, count in one.answers.most_common())
            table.add_row(name, str(one.sent), str(one.failed), *times, answers)
        slowest = f"{max(self.slowest.values(), default=0.0) * 1000:.0f}"
        rate = f"{self.sent / max(self.seconds, 0.1):.0f} a second"
        table.add_row("in all", str(self.sent), str(self.failed), "", slowest, rate)
        Console(width=120, highlight=False).print(table)


@contextmanager
def steady_load(
    url: str, kinds: Sequence[Kind] = STEADY, headers: dict[str, str] | None = None, title: str = ""
) -> Iterator[Load]:
    """Send requests of each kind at its rate from a process of its own until the block ends.

    The figures are printed under the title, where there is one.
    """
    load = Load(Plan(url, kinds, headers or {}))
    command = [sys.executable, "-m", "tests.harness.load.client"]
    process = subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(load.plan.as_json()) + "\n")
        assert process.stdout.readline().strip() == READY
        yield load
        before = process.poll()
        out, _ = process.communicate("stop\n", timeout=60)
        # Killed just now, it may not be known to have ended before.
        assert (before, process.returncode) == (None, 0), "the load ended before what it was to go with"
    finally:
        process.kill()
        process.communicate()
    document = json.loads(out)
    load.seconds = document["seconds"]
    for name, found in document["kinds"].items():
        load.kinds[name] = Figures(**{**found, "answers": Counter(found["answers"])})
    if title:
        load.show(title)
