"""What a stability check tells, and what follows from it. The protocol: docs/contract.md, "Soak checks"."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ops.output import seconds

if TYPE_CHECKING:
    from rich.table import Table

KEPT_LINES = 20
PASSED, FAILED = "passed", "failed"


@dataclass(frozen=True)
class Figure:
    """One measured value. `ok` is None while it is not judged."""

    name: str
    value: float | int | str | None
    unit: str = ""
    goal: str = ""
    ok: bool | None = None
    note: str = ""

    @property
    def text(self) -> str:
        return "-" if self.value is None else f"{self.value} {self.unit}".rstrip()

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Figure:
        """Raises KeyError or TypeError for what is no figure."""
        value, ok = document["value"], document.get("ok")
        if not isinstance(value, float | int | str | None) or ok not in (True, False, None):
            raise TypeError("not a figure")
        words = {key: str(document.get(key) or "") for key in ("unit", "goal", "note")}
        return cls(str(document["name"]), value, ok=ok, **words)


@dataclass
class SoakRun:
    """One run of a check, folded from its lines. Times in seconds."""

    elapsed: float = 0.0
    figures: tuple[Figure, ...] = ()
    verdict: str = ""
    stated_reasons: tuple[str, ...] = ()
    log: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))

    def take(self, line: str) -> bool:
        """Take in one line of standard output. Returns whether it was one of the protocol's; what
        comes after the verdict is not."""
        if self.verdict or not self._told(line):
            self.note(line)
            return False
        return True

    def note(self, line: str) -> None:
        """Keep a line that is for people."""
        if line.strip():
            self.log.append(line.rstrip())

    def _told(self, line: str) -> bool:
        try:
            document = json.loads(line)
            elapsed = float(document["elapsed"])
            figures = tuple(Figure.read(figure) for figure in document["figures"])
            verdict = document.get("verdict", "")
            stated = tuple(str(reason) for reason in document.get("reasons", ()))
        except (ValueError, KeyError, TypeError, AttributeError):
            return False
        if verdict not in ("", PASSED, FAILED):
            return False
        self.elapsed, self.figures, self.verdict, self.stated_reasons = elapsed, figures, verdict, stated
        return True

    def reasons(self, exit_code: int | None, ended_for: str = "") -> list[str]:
        """Why the check has failed; empty when it has passed.

        `ended_for` says why it was ended from outside, where it was. Without a verdict of its own, or
        with an exit code that says otherwise, it has failed.
        """
        found = [ended_for] if ended_for else []
        if not self.verdict:
            code = "" if exit_code is None else f" (exit code {exit_code})"
            return found or [f"it ended without a verdict{code}"]
        if self.verdict == FAILED:
            return found + (list(self.stated_reasons) or ["it gives no reason"])
        if exit_code:
            found.append(f"it says passed, but ended with exit code {exit_code}")
        return found

    def line(self) -> str:
        """Where it is, in one line: the figures that have a goal."""
        judged = [
            f"{figure.name} {figure.text}{' (!)' if figure.ok is False else ''}"
            for figure in self.figures
            if figure.goal
        ]
        return f"  {seconds(self.elapsed):>8}  {', '.join(judged)}"

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(figure) for figure in self.figures]

    def table(self) -> Table:
        """The figures for people."""
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        marks = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}
        table = Table("figure", "value", "goal", "ok", "", box=box.SIMPLE_HEAD, pad_edge=False)
        for figure in self.figures:
            words = [escape(word) for word in (figure.name, figure.text, figure.goal, figure.note)]
            table.add_row(*words[:3], marks[figure.ok], f"[dim]{words[3]}[/]")
        return table


@dataclass(frozen=True)
class Patience:
    """How long a check is let alone. `limit` is for the whole of it, in seconds."""

    limit: float
    silence: float = 60.0
    stop: float = 90.0

    def ended_for(self, now: float, began: float, heard: float, asked: float | None) -> str:
        """Why it is to be killed now; empty while it is not. `heard` is when it last told anything,
        `asked` when it was asked to stop."""
        if asked is not None and now - asked > self.stop:
            return f"it did not stop within {self.stop:.0f} s"
        if now - heard > self.silence:
            return f"it told nothing for {self.silence:.0f} s"
        if now - began > self.limit:
            return f"it did not end within {seconds(self.limit)}"
        return ""
