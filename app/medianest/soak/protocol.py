"""What a check tells: one JSON object a line on standard output, the last one with its verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

Value = float | int | None


class CannotRunError(Exception):
    """The check cannot begin or go on. The message says why and is the reason of its verdict."""


@dataclass(frozen=True)
class Figure:
    """One measured value. `ok` is None while it is not judged, or when it has no goal.

    `note` says more about the value, as which failures were the most frequent ones.
    """

    name: str
    value: Value
    unit: str = ""
    goal: str = ""
    ok: bool | None = None
    note: str = ""


def share(name: str, good: int, total: int, least: float, note: str = "") -> Figure:
    """A percentage that has to be at least `least`; not judged while nothing was seen."""
    goal = f"at least {least:g} %"
    if not total:
        return Figure(name, None, "%", goal)
    # Judged before it is rounded: 99.899 is not 99.9.
    percent = 100 * good / total
    return Figure(name, round(percent, 3), "%", goal, percent >= least, note)


def at_most(name: str, value: Value, unit: str, most: float, note: str = "") -> Figure:
    """A value that may not be above `most`."""
    goal = f"at most {most:g} {unit}".rstrip()
    return Figure(name, value, unit, goal, None if value is None else value <= most, note)


def reasons(figures: Sequence[Figure]) -> list[str]:
    """Why a run with these figures has failed; empty when it has passed."""
    found = []
    for figure in figures:
        if figure.goal and figure.value is None:
            found.append(f"{figure.name}: nothing was seen, the goal is {figure.goal}")
        elif figure.ok is False:
            value = f"{figure.value} {figure.unit}".rstrip()
            note = f" ({figure.note})" if figure.note else ""
            found.append(f"{figure.name}: {value}, the goal is {figure.goal}{note}")
    return found


def progress_line(elapsed: float, figures: Sequence[Figure]) -> str:
    """A line while the check runs. `elapsed` is in seconds."""
    return json.dumps(_document(elapsed, figures))


def verdict_line(elapsed: float, figures: Sequence[Figure], why: Sequence[str]) -> str:
    """The last line: failed when there are reasons."""
    verdict = "failed" if why else "passed"
    return json.dumps({**_document(elapsed, figures), "verdict": verdict, "reasons": list(why)})


def _document(elapsed: float, figures: Sequence[Figure]) -> dict[str, object]:
    return {"elapsed": round(elapsed, 1), "figures": [asdict(figure) for figure in figures]}
