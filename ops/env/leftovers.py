"""What a destroyed environment leaves in files: states of former times, logs, fingerprints, settings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ops.env import settings
from ops.paths import cache_directory

if TYPE_CHECKING:
    from ops.session import Session

# Of Pulumi, each with a log, and images that are built for a stack, each with the builder's.
RUNS = ("up", "destroy", "refresh", "preview", "preview-refresh")
IMAGES = ("backend", "postgres", "redis", "gateway", "guardian")


def paths(session: Session, stack: str) -> Iterator[Path]:
    """Every file and directory of this one stack. Backups of its data are not among them."""
    from components.build_context import BUILD_LOGS
    from ops.state_copies import directory
    from ops.unchanged import records

    project = session.project.name
    if session.files is not None:
        base = session.files.directory
        yield from sorted((base / "stacks" / project).glob(f"{stack}.json*"))
        yield base / "stacks" / project / f"{stack}.pulumi-tags"
        yield base / "stacks" / project / f"{stack}.pulumi-tags.attrs"
        yield from (base / kind / project / stack for kind in ("history", "backups"))
        yield base / "locks" / "organization" / project / stack
        yield directory(session.files, project, stack)
    yield records(project, stack)
    yield from (cache_directory() / "logs" / f"pulumi-{run}-{stack}.log" for run in RUNS)
    yield from (session.project.root / BUILD_LOGS / f"{stack}-{image}.log" for image in IMAGES)


def clear(session: Session, stack: str) -> list[str]:
    """Remove them, once nothing of the stack is on the engine. Returns what there was."""
    found = []
    for path in paths(session, stack):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
        else:
            continue
        found.append(str(path))
    file = session.project.settings_file(stack)
    if settings.remove(file):
        found.append(str(file))
    return found
