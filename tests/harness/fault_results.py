"""What tests of faults have measured: a line of JSON each, from which docs/reliability.md is made.

A test that makes a fault has the mark `fault(NAME, PROMISE)`. Its result and how long it took are written
down by themselves; a figure that says more is handed to `measured`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / ".build" / "faults.jsonl"
_figures: ContextVar[list[str]] = ContextVar("figures")


def measured(figure: str) -> None:
    """Say in a few words what the running test has measured. Nothing where the test is of no fault."""
    figures = _figures.get(None)
    if figures is not None:
        figures.append(figure)


@contextmanager
def figures_of_a_test() -> Iterator[list[str]]:
    """What is said of the test that runs meanwhile."""
    figures: list[str] = []
    token = _figures.set(figures)
    try:
        yield figures
    finally:
        _figures.reset(token)


def write_down(test: str, passed: bool, seconds: float, figures: list[str], path: Path = RESULTS) -> None:
    """Add a result, in one write: several runs may be at it."""
    result: dict[str, Any] = {
        "test": test,
        "passed": passed,
        "seconds": round(seconds, 1),
        "measured": figures,
        "at": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(result, ensure_ascii=False) + "\n")
