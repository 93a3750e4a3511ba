"""A change of a stack's settings file that goes with an update."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ops import settings_file
from ops.errors import ExitCode, OperationError


@dataclass(frozen=True)
class SettingsChange:
    """The settings file before and after. `title` says in Pulumi's history what the update was for.

    `stays` where the change must outlive an update that failed, since the next one carries on with it.
    """

    path: Path
    before: str
    after: str
    title: str
    stays: bool = False


@contextmanager
def written(change: SettingsChange | None, say: Callable[[str], None]) -> Iterator[None]:
    """Write the change before an update, and take it back when the update fails.

    After an interruption it stays: the stack is between the two, and the next `up` carries on.
    """
    if change is None:
        yield
        return
    settings_file.write(change.path, change.after)
    try:
        yield
    except OperationError as error:
        if change.stays or error.code is ExitCode.INTERRUPTED:
            say(f"{change.path.name} keeps its change: the next `up` carries on with it.")
        else:
            settings_file.write(change.path, change.before)
            say(f"{change.path.name} is as it was: what served before serves on.")
        raise
