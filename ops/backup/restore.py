"""Brings a backup back into a running stack: all of it or nothing.

Everything is restored beside what is there first, the database under another name and the files in a
folder of their volume, while the stack serves on. Only what then has to change at once interrupts it:
backends stop, names are swapped, the cache is emptied, backends start. Where they do not get healthy,
the names are swapped back.

A note in the user's state directory says that a restore is under way. A run that finds one undoes
what the run before it had done, however far it came, before anything else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ops.backup.archive import ArchiveReader
from ops.backup.make import DATABASE, OVERHEAD_BYTES
from ops.backup.manifest import Manifest, differences
from ops.backup.meter import Meter
from ops.backup.postgres import STAGED
from ops.backup.sealed import Keys
from ops.backup.target import Target
from ops.drift.quick import wait_until_healthy
from ops.engine import containers
from ops.errors import ExitCode, OperationError
from ops.output import megabytes
from ops.paths import state_directory
from ops.preflight.facts import gather_engine, is_local

if TYPE_CHECKING:
    from ops.session import Session

# What serves what is restored, or caches it: the cache first, since the others need it.
USERS = ("redis", "backend")
# Their volumes are in backups of watched stacks that former versions made, though they are no data.
WATCH = frozenset({"prometheus", "alertmanager", "guardian"})
STOP_SECONDS = 60


@dataclass(frozen=True)
class Restored:
    """A finished restore. Times in seconds."""

    manifest: Manifest
    downtime: float
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return {
            "from": self.manifest.stack,
            "made": self.manifest.made,
            "release": self.manifest.release,
            "rows": self.manifest.database.rows,
            "tables": len(self.manifest.database.tables),
            "volumes": list(self.manifest.volumes),
            "downtime_seconds": round(self.downtime, 2),
            "seconds": round(self.seconds, 2),
        }


class Phase(StrEnum):
    """How far a restore has come."""

    STAGING = "staging"
    """Beside what is there: the stack serves on."""
    SWAPPING = "swapping"
    """Backends are stopped; what is in place may be half of one and half of the other."""
    DONE = "done"
    """It was good: only what was kept to undo it has to go."""


@dataclass(frozen=True)
class Note:
    """The note that a restore is under way, and in which phase it is."""

    path: Path

    @classmethod
    def of(cls, owner: str) -> Note:
        return cls(state_directory() / "restoring" / f"{owner}.json")

    def read(self) -> dict[str, Any] | None:
        try:
            note: dict[str, Any] = json.loads(self.path.read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            return {}
        return note

    def write(self, file: Path, phase: Phase) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({"file": str(file), "phase": phase}))
        fresh.replace(self.path)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def refuse_half_restored(session: Session, stack: str) -> None:
    """Nothing may start what a restore that was cut off has stopped. Raises OperationError."""
    state = session.state(stack)
    note = Note.of(state.owner).read() if state and state.owner else None
    if note is not None and note.get("phase") != Phase.DONE:
        raise OperationError(
            f"a restore of stack {stack} was cut off: its data may be half of one and half of the other",
            f"Run it again: ./medianest restore {stack} {note.get('file', 'FILE')}\n"
            f"or go back to what was there before it: ./medianest restore {stack} --undo",
            ExitCode.REFUSED,
        )


def judge(manifest: Manifest, stack: str, volumes: list[str], version: int, source: str | None) -> list[str]:
    """Why a backup must not be restored into a stack; nothing where it may."""
    problems = []
    if manifest.stack != (source or stack):
        problems.append(
            f"it is a backup of stack {manifest.stack}, not of {source or stack}: "
            f"say that it is meant with --from {manifest.stack}"
        )
    if manifest.database.major > version // 10000:
        problems.append(
            f"it is of PostgreSQL {manifest.database.major}, and the stack runs {version // 10000}, "
            "which cannot read it: deploy the newer version first"
        )
    missing = sorted(set(manifest.volumes) - set(volumes))
    if missing:
        problems.append(
            f"it has files of {', '.join(missing)}, and the stack has no such volume: "
            "put it into backend.volumes and deploy it first"
        )
    return problems


def of_data(manifest: Manifest, volumes: Collection[str]) -> tuple[Manifest, list[str]]:
    """A backup without what a former version took from the parts that watch a stack, and the names of that.

    `volumes` are the stack's own: files for a volume of the same name stay.
    """
    left_out = sorted((WATCH & set(manifest.volumes)) - set(volumes))
    parts = {f"files/{name}{since}" for name in left_out for since in ("", "/since")}
    kept = replace(
        manifest,
        volumes=[name for name in manifest.volumes if name not in left_out],
        parts=[part for part in manifest.parts if part.name not in parts],
    )
    return kept, left_out


def refuse(path: Path, problems: list[str]) -> None:
    if problems:
        listed = "".join(f"\n  - {problem}" for problem in problems)
        raise OperationError(
            f"{path.name} cannot be restored, and nothing was touched:{listed}", code=ExitCode.REFUSED
        )


def inspect(path: Path, keys: Keys, meter: Meter) -> Manifest:
    """Read a backup to its end, before anything is touched. Raises OperationError for a damaged one."""
    meter.phase(f"Checking {path.name}")
    with opened(path) as file:
        return ArchiveReader(file, keys).check(meter.count)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise OperationError(f"cannot read {path}: {error.strerror}", code=ExitCode.USAGE) from error
    with file:
        yield file


def check_room(target: Target, manifest: Manifest) -> None:
    """What is restored lies beside what is there for a while. Raises OperationError."""
    if not is_local(target.session.environment):
        return
    free = gather_engine(target.api, local=True).free_disk
    wanted = manifest.size + OVERHEAD_BYTES
    if free is not None and free < wanted:
        raise OperationError(
            f"the engine's disk is too full: {megabytes(free)} free, {megabytes(wanted)} are needed beside "
            "what is there",
            "Nothing was touched. Free some: `docker system df` shows what takes it.",
            ExitCode.REFUSED,
        )


def restore(target: Target, path: Path, keys: Keys, manifest: Manifest, meter: Meter) -> Restored:
    """Bring back a backup that `inspect` has found good.

    Raises OperationError; what was there before is there then.
    """
    began = time.monotonic()
    downtime = replace_data(target, path, meter, lambda: stage(target, path, keys, manifest, meter))
    return Restored(manifest, downtime, time.monotonic() - began)


def replace_data(target: Target, source: Path, meter: Meter, put_beside: Callable[[], None]) -> float:
    """Put other data in the place of what is there: all of it, or nothing. Returns the downtime.

    `put_beside` lays it beside what is there; `source` is what a later run is told to do it again with.
    """
    note = Note.of(target.owner)
    undo(target, meter)
    note.write(source, Phase.STAGING)
    try:
        put_beside()
    except BaseException:
        undo(target, meter)
        raise
    with target.marked():
        try:
            note.write(source, Phase.SWAPPING)
            downtime = swap(target, meter)
        except BaseException:
            undo(target, meter)
            raise
        note.write(source, Phase.DONE)
    forget(target)
    return downtime


def stage(target: Target, path: Path, keys: Keys, manifest: Manifest, meter: Meter) -> None:
    """Restore everything beside what is there, and compare it with what was backed up."""
    volumes = target.files
    for name in manifest.volumes:
        volumes[name].prepare()
    size, roles = manifest.part(DATABASE).size, manifest.database.roles
    uses: dict[str, Callable[[Iterator[bytes]], None]] = {
        DATABASE: lambda dump: target.server.stage(dump, size, roles)
    }
    for name in manifest.volumes:
        uses[f"files/{name}"] = uses[f"files/{name}/since"] = volumes[name].stage
    meter.phase("Restoring beside what is there")
    with opened(path) as file:
        ArchiveReader(file, keys).check(meter.count, uses)
    meter.phase("Comparing the restored database")
    found = target.server.fingerprint(STAGED)
    problems = differences(manifest.database, found.tables, rows_only=found.major != manifest.database.major)
    if problems:
        raise OperationError(
            f"what was restored is not what was backed up: {'; '.join(problems)}",
            "The stack serves on with what was there.",
        )


def swap(target: Target, meter: Meter) -> float:
    """Put what was restored in place. Returns for how many seconds the backends did not serve."""
    meter.phase("Putting the restored data in place: the backends stop for a moment")
    began = time.monotonic()
    stop(target)
    target.server.put_in_place()
    for files in target.files.values():
        files.put_in_place()
    # It caches what was: users and files that are no more.
    target.cache.empty()
    start(target, meter)
    return time.monotonic() - began


def stop(target: Target) -> None:
    """Stop what uses the data, all at once: each takes its time to drain."""
    names = users(target)
    with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
        list(pool.map(lambda name: target.api.stop(name, timeout=STOP_SECONDS), names))


def start(target: Target, meter: Meter) -> None:
    """Start what was stopped, and wait until all of it is healthy."""
    meter.phase("Starting the backends")
    names = users(target)
    for name in names:
        target.api.start(name)
    wait_until_healthy(target.api, names)


def users(target: Target) -> list[str]:
    """Names of the containers that use the data or cache it, the cache first."""
    listed = target.state.outputs["containers"]
    present = {
        item["Names"][0].lstrip("/")
        for item in containers(target.api, target.session.project.name, target.stack)
    }
    return [name for component in USERS for name in listed[component] if name in present]


def undo(target: Target, meter: Meter) -> bool:
    """Take back what a restore has done, however far it came. Returns whether there was one."""
    note = Note.of(target.owner)
    content = note.read()
    if content is None:
        return False
    if content.get("phase") == Phase.DONE:
        forget(target)
        return False
    meter.phase("Taking back a restore that did not come to its end")
    serves = content.get("phase") == Phase.STAGING
    with nullcontext() if serves else target.marked():
        if not serves:
            stop(target)
        target.server.take_back()
        for files in target.files.values():
            files.take_back()
        if not serves:
            start(target, meter)
    note.remove()
    return True


def forget(target: Target) -> None:
    """Remove what was kept to undo a restore, and its note."""
    target.server.forget_former()
    for files in target.files.values():
        files.forget_former()
    Note.of(target.owner).remove()
