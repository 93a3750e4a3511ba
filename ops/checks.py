"""The form of a check that is made once and told to people and machines: `health` and `doctor` share it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType


class Level(StrEnum):
    """How a check came out. `UNKNOWN` is where it could not be told, which is no good news."""

    OK = "ok"
    WARN = "warn"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.CRITICAL: "red", Level.UNKNOWN: "magenta"}


@dataclass(frozen=True)
class Check:
    """One check: its verdict, what was seen, and what it was held against.

    `value` is the figure as a number, in `unit`, where it is one. `evidence` and `next_step` are for what
    does not hold. None of them ever holds a secret.
    """

    name: str
    level: Level
    figure: str
    threshold: str = ""
    evidence: Sequence[str] = ()
    next_step: str = ""
    value: float | None = None
    unit: str = ""

    @property
    def holds(self) -> bool:
        """A warning holds: it tells of what may become wrong."""
        return self.level in (Level.OK, Level.WARN)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "evidence": list(self.evidence), "holds": self.holds}


def all_hold(checks: Sequence[Check]) -> bool:
    """Whether something was checked, and all of it holds."""
    return bool(checks) and all(check.holds for check in checks)


def level_of(value: float, warning: float, critical: float) -> Level:
    """The level of a figure that is the worse the higher it is. On a level it does not count yet."""
    if value > critical:
        return Level.CRITICAL
    return Level.WARN if value > warning else Level.OK


def level_falling(value: float, warning: float, critical: float) -> Level:
    """The same of a figure that is the worse the lower it is."""
    return level_of(-value, -warning, -critical)


def summary(checks: Iterable[Check]) -> str:
    """All verdicts in a few words: 4 ok, 1 critical."""
    counted = dict.fromkeys(Level, 0)
    for check in checks:
        counted[check.level] += 1
    return ", ".join(f"{count} {level}" for level, count in counted.items() if count) or "nothing checked"


def shown(checks: Sequence[Check]) -> list[RenderableType]:
    """The checks for people: a table, and below it what does not hold, why, and what to do."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table("check", "verdict", "figure", "threshold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for check in checks:
        verdict = f"[{COLOURS[check.level]}]{check.level}[/]"
        table.add_row(escape(check.name), verdict, escape(check.figure), escape(check.threshold))
    told: list[RenderableType] = [table]
    for check in checks:
        if check.level is not Level.OK:
            lines = [f"[bold {COLOURS[check.level]}]{escape(check.name)}: {check.level}[/]"]
            lines += [f"  {escape(line)}" for line in check.evidence]
            lines += [f"  → {escape(check.next_step)}"] if check.next_step else []
            told.append("\n".join(lines))
    return told
