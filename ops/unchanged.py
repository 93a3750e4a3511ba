"""Tells that an `up` has nothing to do, without starting Pulumi, which takes seconds to find out.

The answer is the same where everything that the answer depends on is the same: the files of the
checkout, the tools, the environment, and the state, byte by byte; and where the engine runs what the
state says. A fingerprint of the former is kept after each `up`, in the cache: losing it costs one slow
run. In any doubt Pulumi is asked.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ops.drift.quick import drifted, health, unseen
from ops.engine import connect, containers, resources
from ops.events import Update
from ops.paths import cache_directory
from ops.state import StackState

if TYPE_CHECKING:
    from components.settings import StackSettings
    from ops.session import Session

# Of no matter to a stack: history, what tools leave behind, what builds print.
SKIPPED = frozenset(
    {".git", ".build", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".venv", ".idea"}
)
# Reading more than this would take longer than it saves.
LARGEST_TREE_BYTES = 64_000_000
# Its value must not be in a file, not even as a part of a hash.
UNREADABLE = "PULUMI_CONFIG_PASSPHRASE"
NOT_VERIFIED = "deployed, but its verification failed"


@dataclass(frozen=True)
class Inputs:
    """What an update, or its consent, depends on, before it runs: `digest` changes with any of it."""

    digest: str
    record: Path

    def fingerprint(self, state: Path) -> str:
        """Together with the state, byte by byte."""
        return f"{self.digest}-{hashlib.sha256(state.read_bytes()).hexdigest()}"


def gather(session: Session, stack: str, settings: StackSettings) -> Inputs | None:
    """Everything that an update of a stack depends on but the state; None where that cannot be told."""
    root = session.project.root
    # A context of the whole checkout takes in also what is skipped here.
    if session.files is None or Path(settings.backend.build.context) == Path("."):
        return None
    if UNREADABLE in session.environment:
        return None
    digest = hashlib.sha256()
    size = 0
    for path in tree(root):
        size += path.lstat().st_size
        if size > LARGEST_TREE_BYTES:
            return None
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        mode = path.lstat().st_mode
        digest.update(f"{path.relative_to(root)}\0{mode}\0{len(content)}\0".encode())
        digest.update(content)
    digest.update(repr(ambience(session.environment)).encode())
    name = hashlib.sha256(f"{root}\0{session.files.directory}".encode()).hexdigest()[:16]
    return Inputs(digest.hexdigest(), records(session.project.name, stack) / name)


def records(project: str, stack: str) -> Path:
    """Where the fingerprints of a stack are, one a checkout and back end."""
    return cache_directory() / "unchanged" / project / stack


def tree(root: Path) -> Iterator[Path]:
    """Every file below a directory, in a steady order, without what is skipped."""
    for directory, names, files in os.walk(root):
        links = [name for name in names if os.path.islink(os.path.join(directory, name))]
        names[:] = sorted(set(names) - SKIPPED)
        for name in sorted([*files, *links]):
            yield Path(directory, name)


def ambience(environment: Mapping[str, str]) -> list[str]:
    """What a program sees of its surroundings: the tools' versions are files of the tree."""
    variables = [
        f"{key}={value}"
        for key, value in sorted(environment.items())
        if key.startswith(("PULUMI_", "DOCKER_")) and key != UNREADABLE
    ]
    passphrase = environment.get(f"{UNREADABLE}_FILE")
    stat = os.stat(passphrase) if passphrase and os.path.exists(passphrase) else None
    return [sys.version, sys.prefix, *variables, str(stat and (stat.st_size, stat.st_mtime_ns, stat.st_ino))]


def is_known(session: Session, stack: str, inputs: Inputs | None) -> bool:
    """Whether the last `up` deployed just this, and the state is the one that it left."""
    if inputs is None or session.files is None or not inputs.record.is_file():
        return False
    path = session.files.path(session.project.name, stack)
    return path.is_file() and inputs.record.read_text() == inputs.fingerprint(path)


def nothing_to_do(session: Session, stack: str, inputs: Inputs | None) -> Update | None:
    """The update that Pulumi would report where nothing has changed; None where it has to be asked."""
    if not is_known(session, stack, inputs):
        return None
    state = session.state(stack)
    if state is None or state.operations:
        return None
    if not _runs_well(session, stack, state):
        return None
    update = Update(outputs=state.outputs, result="succeeded")
    update.changes["same"] = len(state.resources)
    return update


def _runs_well(session: Session, stack: str, state: StackState) -> bool:
    api, project = connect(session.environment), session.project.name
    try:
        listed = containers(api, project, stack)
        if drifted(state, resources(api, project, stack), listed) or unseen(state, listed):
            return False
        names = [name for listed in state.outputs["containers"].values() for name in listed]
        return all(health(api.inspect_container(name)) == "healthy" for name in names)
    finally:
        api.close()


def not_verified(inputs: Inputs | None) -> bool:
    """Whether the last `up` deployed what then failed its verification: the next one has to look again."""
    return inputs is not None and inputs.record.is_file() and inputs.record.read_text() == NOT_VERIFIED


def remember_failure(inputs: Inputs | None) -> None:
    """Note that what runs failed its verification."""
    if inputs is not None:
        _write(inputs.record, NOT_VERIFIED)


def remember(session: Session, stack: str, inputs: Inputs | None) -> None:
    """Note that the stack is now as these inputs want it."""
    if inputs is None or session.files is None:
        return
    path = session.files.path(session.project.name, stack)
    if path.is_file():
        _write(inputs.record, inputs.fingerprint(path))


def _write(record: Path, text: str) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(text)
