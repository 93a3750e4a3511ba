"""Copies of a stack's state: ours, made before and after each run, and those that Pulumi makes itself."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ops.environment import private_directory
from ops.errors import OperationError
from ops.paths import state_directory
from ops.state import FileBackend, StackState, checksums, read_checkpoint
from ops.state_check import DamagedStateError, read_state

if TYPE_CHECKING:
    from ops.session import Session

KEPT = 20
KEPT_DAMAGED = 3
# Of each kind of Pulumi's, which never removes any.
READ = 20
TIME = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True)
class Copy:
    """A copy of a state. `problem` says what is wrong with it; `state` is None then."""

    path: Path
    source: str
    digest: str
    state: StackState | None
    problem: str

    @property
    def updated(self) -> str:
        """When the state in it was written: RFC 3339, empty for a stack that was only made."""
        return (self.state.updated or "") if self.state else ""

    def content(self) -> bytes:
        """The state file's content, not compressed."""
        content = self.path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def directory(files: FileBackend, project: str, stack: str) -> Path:
    """Where our copies of a stack are: apart by back end, since two may have stacks of one name."""
    backend = hashlib.sha256(str(files.directory).encode()).hexdigest()[:12]
    return state_directory() / "state-copies" / backend / project / stack


def keep_copy(session: Session, stack: str) -> None:
    """Copy the state as it is now, where it differs from the newest copy. Does nothing without a state.

    Raises OperationError where the copy cannot be written.
    """
    if session.files is None:
        return
    path = session.files.existing(session.project.name, stack)
    if path is None:
        return
    content = path.read_bytes()
    # What is not whole would only take the place of what is.
    try:
        read_state(content, checksums(path))
    except DamagedStateError:
        return
    text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    place = directory(session.files, session.project.name, stack)
    try:
        _add_copy(place, text)
    except OSError as error:
        raise OperationError(
            f"the state of stack {stack} cannot be copied to {place}: {error.strerror}",
            "The state itself is as it should be. Free some there and run it again.",
        ) from error


def _add_copy(place: Path, text: bytes) -> None:
    private_directory(place)
    own = sorted(place.glob("2*.json.gz"))
    digest = hashlib.sha256(text).hexdigest()[:12]
    if own and own[-1].name.split("-")[1].startswith(digest):
        return
    write_private(place / f"{datetime.now(UTC):{TIME}}-{digest}.json.gz", gzip.compress(text, 6))
    for old in own[: max(0, len(own) + 1 - KEPT)]:
        old.unlink()


def write_private(path: Path, content: bytes) -> None:
    """Write a complete file or none, readable for its user only."""
    fresh = path.with_name(f".{path.name}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def copies(files: FileBackend, project: str, stack: str) -> list[Copy]:
    """Every copy of a stack's state, good ones first, the newest first; of equal ones one."""
    state = files.path(project, stack)
    own = sorted(directory(files, project, stack).glob("2*.json.gz"))
    before = [path for path in (state.with_name(f"{state.name}.bak"),) if path.exists()]
    backups = sorted((files.directory / "backups" / project / stack).glob(f"{stack}.*.json*"))
    history = sorted((files.directory / "history" / project / stack).glob(f"{stack}-*.checkpoint.json*"))
    found = [
        *(read_copy(path, "medianest") for path in own[-KEPT:]),
        *(
            read_copy(path, "pulumi")
            for paths in (before, backups, history)
            for path in [item for item in paths if item.suffix != ".attrs"][-READ:]
        ),
    ]
    return in_order(found)


def in_order(found: Iterable[Copy]) -> list[Copy]:
    """Good copies first, the newest first, each content once."""
    distinct = {copy.digest: copy for copy in reversed(list(found))}
    return sorted(distinct.values(), key=lambda copy: (copy.state is not None, copy.updated), reverse=True)


def read_copy(path: Path, source: str) -> Copy:
    try:
        content = path.read_bytes()
        text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        noted = [] if source == "medianest" else checksums(path)
        state = read_checkpoint(read_state(content, noted))
    except (OSError, EOFError, DamagedStateError) as error:
        return Copy(path, source, str(path), None, str(error))
    return Copy(path, source, hashlib.sha256(text).hexdigest(), state, "")


def put_back(files: FileBackend, project: str, stack: str, copy: Copy) -> Path | None:
    """Put a copy in the place of the state. What was there is kept aside; returns where."""
    path = files.existing(project, stack) or files.path(project, stack)
    aside = None
    if path.exists():
        place = private_directory(directory(files, project, stack))
        aside = place / f"damaged-{datetime.now(UTC):{TIME}}.json.gz"
        write_private(aside, gzip.compress(path.read_bytes()))
        for old in sorted(place.glob("damaged-*"))[:-KEPT_DAMAGED]:
            old.unlink()
    content = copy.content()
    if path.suffix == ".gz":
        content = gzip.compress(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the back end's own form, so that later damage is seen as well.
    noted = {"md5": base64.b64encode(hashlib.md5(content).digest()).decode()}  # noqa: S324
    write_private(path, content)
    write_private(path.with_name(f"{path.name}.attrs"), json.dumps(noted).encode())
    return aside
