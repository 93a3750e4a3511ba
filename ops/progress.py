"""Live progress of an update: a table of what is under way on a terminal, otherwise a line a resource."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ops.events import Step, Update
from ops.output import Verbosity, seconds, verbosity

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live

SYMBOLS = {"create": "+", "create-replacement": "+", "update": "~", "delete": "-", "delete-replaced": "-"}
DONE = {
    "create": "created",
    "create-replacement": "created anew",
    "update": "updated",
    "delete": "removed",
    "delete-replaced": "old one removed",
    "refresh": "refreshed",
    "same": "unchanged",
}
DOING = {
    "create": "creating",
    "create-replacement": "creating anew",
    "update": "updating",
    "delete": "removing",
    "delete-replaced": "removing the old one",
    "refresh": "refreshing",
}


def describe(step: Step) -> str:
    """One line for a step that ended."""
    word = "failed" if step.failed else DONE.get(step.operation, step.operation)
    symbol = "!" if step.failed else SYMBOLS.get(step.operation, " ")
    return f"  {symbol} {step.name} ({step.kind}) {word}, {seconds(step.seconds)}"


class Progress:
    """Folds events into an update and shows it on stderr. Use as a context."""

    def __init__(self, title: str) -> None:
        self.update = Update()
        self._title = title
        self._began = time.monotonic()
        self._live: Live | None = None
        self._verbosity = verbosity.get()

    def __enter__(self) -> Progress:
        if sys.stderr.isatty() and self._verbosity is not Verbosity.QUIET:
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True, highlight=False)
            self._live = Live(self, console=console, refresh_per_second=8, transient=True)
            self._live.start()
        else:
            self.say(self._title)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in and show one event."""
        step = self.update.apply(event, time.monotonic())
        if step is None or step.finished is None or step.is_component:
            return
        if not step.is_quiet or self._verbosity is Verbosity.VERBOSE:
            self.say(describe(step))

    def interrupted(self, times: int) -> None:
        """Say what a Ctrl-C does."""
        self.say(
            {
                1: "Stopping: what has begun is let to its end. Ctrl-C again stops at once.",
                2: "Stopping at once: the state notes what was under way.",
            }.get(times, "Killed.")
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.spinner import Spinner
        from rich.table import Table

        now = time.monotonic()
        table = Table.grid(padding=(0, 1))
        # A spinner of a new object would start anew at each refresh, unless told the time.
        spinner = Spinner("dots")
        table.add_row(spinner.render(now), f"{self._title} [dim]{seconds(now - self._began)}[/]")
        for step in self.update.running:
            doing = DOING.get(step.operation, step.operation)
            table.add_row("", f"{step.name} [dim]({step.kind}) {doing}, {seconds(now - step.started)}[/]")
        yield table

    def say(self, text: str) -> None:
        """Put a line above what is under way."""
        if self._live:
            self._live.console.print(text, markup=False)
        elif self._verbosity is not Verbosity.QUIET:
            print(text, file=sys.stderr, flush=True)
