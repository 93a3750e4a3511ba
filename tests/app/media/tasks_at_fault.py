"""Tasks in place of those of media, that do what tasks do in the worst case. Imported in workers only."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from medianest.media import tasks
from medianest.workers.frames import JsonValue


def thumbnails(original: str, targets: Mapping[str, str], scratch: str) -> JsonValue:
    """Leaves a line in the file `begun` for each try, then does what the file `fault` beside it says."""
    folder = Path(scratch).parent
    with (folder / "begun").open("a", encoding="ascii") as file:
        file.write(f"{Path(original).parent.name}\n")
    fault = folder / "fault"
    while fault.read_text("ascii") == "wait":
        time.sleep(0.01)
    what = fault.read_text("ascii")
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "raise":
        raise OSError(f"cannot write\0 below {folder}")
    if what == "nonsense":
        return 7
    return tasks.thumbnails(original, targets, scratch)


TASKS: Mapping[str, Callable[..., JsonValue]] = {"thumbnails": thumbnails}
