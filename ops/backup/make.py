"""Makes a backup of a running stack, and sees by a test restore that it is one."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.hardening.kinds import SCRATCH_DATABASE
from ops import container_commands
from ops.backup.archive import ArchiveReader, ArchiveWriter
from ops.backup.keys import own_key, passphrase
from ops.backup.manifest import Database, Manifest, differences
from ops.backup.meter import Meter
from ops.backup.postgres import STAGED
from ops.backup.scratch import scratch_server
from ops.backup.sealed import DamagedFileError, Keys, WrongKeyError
from ops.backup.shelf import Shelf
from ops.backup.target import Target
from ops.data import volume_sizes
from ops.errors import ExitCode, OperationError
from ops.output import megabytes
from ops.preflight.facts import free_bytes

DATABASE = "database"
# What the file's own structure takes, and a margin.
OVERHEAD_BYTES = 20_000_000


@dataclass(frozen=True)
class Made:
    """A finished backup. Times in seconds."""

    path: Path
    manifest: Manifest
    verified: bool
    removed: list[Path]
    seconds: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        return {
            "file": str(self.path),
            "bytes": self.path.stat().st_size,
            "content_bytes": self.manifest.size,
            "verified": self.verified,
            "removed": [str(path) for path in self.removed],
            "seconds": self.seconds,
            "manifest": self.manifest.as_json(),
        }


def make(target: Target, shelf: Shelf, *, verify: bool) -> Made:
    """Make one backup, check it, and remove what retention does not keep. Raises OperationError."""
    meter, seconds = Meter(), {}
    with shelf.only_one():
        shelf.clear_partial()
        target.clear_helpers()
        key, phrase = own_key(target.session, target.stack), passphrase(target.session.environment)
        check_room(shelf.directory, needed(target))
        began = time.monotonic()
        path, manifest = write(target, shelf, key, phrase, meter)
        seconds["write"] = round(time.monotonic() - began, 2)
        if not verify:
            return Made(path, manifest, False, [], seconds)
        began = time.monotonic()
        check(target, path, Keys([key]), meter)
        path = shelf.mark_verified(path)
        seconds["verify"] = round(time.monotonic() - began, 2)
        return Made(path, manifest, True, shelf.tidy(target.settings.backup.keep), seconds)


def needed(target: Target) -> int:
    """A guess at the room that a backup takes: databases compress well, media files do not."""
    sizes = volume_sizes(target.api)
    files = sum(sizes.get(item.volume, 0) for item in target.files.values())
    return files + target.server.size() // 4 + OVERHEAD_BYTES


def check_room(directory: Path, wanted: int) -> None:
    """Raises OperationError where the disk is too full to begin."""
    free = free_bytes(directory)
    if free is not None and free < wanted:
        raise OperationError(
            f"the disk is too full for a backup: {megabytes(free)} free at {directory}, about "
            f"{megabytes(wanted)} are needed",
            "Free some, or choose another place: --to DIR, or the setting backup.directory.",
            ExitCode.REFUSED,
        )


def write(target: Target, shelf: Shelf, key: str, phrase: str | None, meter: Meter) -> tuple[Path, Manifest]:
    """Write the file: the volumes, the database, and once more what is new in the volumes since."""
    made = datetime.now(UTC).replace(microsecond=0)
    about = {"project": target.session.project.name, "stack": target.stack, "made": made.isoformat()}
    found: list[Database] = []
    try:
        with shelf.new(made) as (file, path):
            archive = ArchiveWriter(file, about, key, phrase)
            volumes = target.files
            for name, files in volumes.items():
                meter.phase(f"Reading volume {name}")
                archive.add(f"files/{name}", meter.through(files.all()))
            meter.phase(f"Dumping database {target.server.database}")
            archive.add(DATABASE, meter.through(target.server.dump(found.append)))
            for name, files in volumes.items():
                meter.phase(f"Reading what is new in volume {name}")
                archive.add(f"files/{name}/since", meter.through(files.since()))
            manifest = Manifest(
                project=about["project"],
                stack=target.stack,
                owner=target.owner,
                release=str(target.state.outputs.get("release", "")),
                made=about["made"],
                database=found[0],
                volumes=list(volumes),
                parts=archive.parts,
            )
            archive.finish(manifest)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OperationError(
            f"the disk at {shelf.directory} is full: the backup was given up, and what was written removed",
            "Free some, or choose another place: --to DIR, or the setting backup.directory.",
        ) from error
    return path, manifest


def check(target: Target, path: Path, keys: Keys, meter: Meter) -> None:
    """Restore a backup into a database to throw away, and compare it to the row. Raises OperationError.

    The files of the volumes are compared with their checksums.
    """
    meter.phase("Verifying: restoring into a scratch database")
    limits = target.settings.postgres.limits
    labels = container_commands.own_labels(
        target.session.project.name, target.stack, target.owner, SCRATCH_DATABASE.component
    )
    container = target.server.container
    try:
        with (
            path.open("rb") as file,
            scratch_server(target.api, container, labels, limits.memory_mb, limits.cpus) as scratch,
        ):
            reader = ArchiveReader(file, keys)
            manifest = reader.manifest()
            size = manifest.part(DATABASE).size
            reader.check(
                meter.count, {DATABASE: lambda dump: scratch.stage(dump, size, manifest.database.roles)}
            )
            problems = differences(manifest.database, scratch.fingerprint(STAGED).tables)
    except (DamagedFileError, WrongKeyError):
        raise
    except OperationError as error:
        raise not_good(path, error.message) from error
    if problems:
        raise not_good(path, "; ".join(problems))


def not_good(path: Path, why: str) -> OperationError:
    return OperationError(
        f"the backup cannot be restored: {why}",
        f"It is {path}, not marked as verified. Other backups were not touched.",
        ExitCode.NOT_VERIFIED,
    )
