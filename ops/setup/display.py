"""What set-up shows while it works: on a terminal a bar for each activity, otherwise a line."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from ops.output import seconds

REFRESH_SECONDS = 0.5
DETAIL_WIDTH = 50


def rough(duration: float) -> str:
    """An expected duration: "40 s", "5 min"."""
    return f"{duration:.0f} s" if duration < 60 else f"{duration / 60:.0f} min"


class Display:
    """Shows activities. Each belongs to the thread that began it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("[dim]usually {task.fields[usual]}[/]"),
            TextColumn("[dim]{task.fields[detail]}[/]"),
            console=console,
            transient=True,
            disable=not self._live,
        )
        self._running: dict[int, tuple[TaskID, float]] = {}
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Display:
        self._progress.start()
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._ticker.join()
        self._progress.stop()

    @contextmanager
    def activity(self, title: str, usual_seconds: float) -> Iterator[None]:
        """Show an activity until it ends, and then how long it took."""
        title, usual = escape(title), rough(usual_seconds)
        if not self._live:
            self._console.print(f"{title} (usually {usual})", highlight=False, soft_wrap=True)
        task = self._progress.add_task(title, total=usual_seconds, usual=usual, detail="")
        began = time.monotonic()
        self._running[threading.get_ident()] = (task, began)
        try:
            yield
            took = seconds(time.monotonic() - began)
            self._console.print(f"[green]✓[/] {title} [dim]{took}[/]", highlight=False, soft_wrap=True)
        finally:
            del self._running[threading.get_ident()]
            self._progress.remove_task(task)

    def detail(self, text: str) -> None:
        """Show the last thing that the thread's activity said."""
        if running := self._running.get(threading.get_ident()):
            self._progress.update(running[0], detail=escape(text.strip()[:DETAIL_WIDTH]))

    def _tick(self) -> None:
        while not self._ended.wait(REFRESH_SECONDS):
            for task, began in list(self._running.values()):
                self._progress.update(task, completed=time.monotonic() - began)
