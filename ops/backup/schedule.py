"""When a stack is backed up by the clock."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ops.timer import Timer, make_timer


def make_schedule(stack: str, root: Path, moment: str, environ: Mapping[str, str]) -> Timer:
    """The timer of a stack's daily backup, for a time of day, HH:MM."""
    hour, minute = moment.split(":")
    return make_timer(
        f"medianest-backup-{stack}",
        f"Daily backup of stack {stack}",
        ["backup", stack, "--due"],
        (f"*-*-* {hour}:{minute}:00", f"{int(minute)} {int(hour)} * * *"),
        root,
        environ,
    )
