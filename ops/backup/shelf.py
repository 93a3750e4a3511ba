"""Where backups lie: their names, which are good, which may go, and when the next one is due.

A backup's name tells its stack, when it was made (UTC) and, by its ending, whether a test restore has
succeeded. It gets its name when it is complete.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from ops.environment import private_directory
from ops.errors import ExitCode, OperationError
from ops.paths import state_directory

VERIFIED, UNVERIFIED = ".backup", ".unverified"
PARTIAL = ".partial"
TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Backup:
    """A complete backup."""

    path: Path
    stack: str
    made: datetime
    verified: bool

    @property
    def size(self) -> int:
        return self.path.stat().st_size


def read_name(path: Path) -> Backup | None:
    """What a file's name says; None where it is no backup's."""
    match = re.fullmatch(
        rf"([a-z][a-z0-9-]*)-(\d{{8}}T\d{{6}}Z)({re.escape(VERIFIED)}|{re.escape(UNVERIFIED)})", path.name
    )
    if not match:
        return None
    made = datetime.strptime(match[2], TIME).replace(tzinfo=UTC)
    return Backup(path, match[1], made, match[3] == VERIFIED)


def superfluous(backups: Sequence[Backup], keep: int) -> list[Backup]:
    """What retention removes: verified ones beyond the newest `keep`, unverified ones older than those.

    Never a verified one that is among the newest `keep`, and nothing where no verified one is newer.
    """
    verified = sorted((item for item in backups if item.verified), key=lambda item: item.made, reverse=True)
    kept = verified[: max(1, keep)]
    if not kept:
        return []
    return [item for item in backups if item not in kept and (item.verified or item.made < kept[-1].made)]


def is_due(schedule: str | None, last: datetime | None, now: datetime) -> bool:
    """Whether a backup is to be made: none was since the time of day in `schedule` last came by.

    `last` and `now` have time zones; the time of day is that of `now`'s.
    """
    if schedule is None:
        return False
    hour, minute = (int(part) for part in schedule.split(":"))
    moment = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if moment > now:
        moment -= timedelta(days=1)
    return last is None or last < moment


@dataclass(frozen=True)
class Shelf:
    """The backups of one stack in one directory."""

    directory: Path
    stack: str

    def backups(self) -> list[Backup]:
        """The complete ones, the newest first."""
        found = [read_name(path) for path in self.directory.glob(f"{self.stack}-*")]
        own = [item for item in found if item and item.stack == self.stack]
        return sorted(own, key=lambda item: item.made, reverse=True)

    @contextmanager
    def only_one(self) -> Iterator[None]:
        """Refuse a second run at the same time. Raises OperationError."""
        private_directory(self.directory)
        descriptor = os.open(self.directory / f".{self.stack}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OperationError(
                    f"another run makes or restores a backup of stack {self.stack}",
                    "Wait for it to end.",
                    ExitCode.REFUSED,
                ) from error
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def new(self, made: datetime) -> Iterator[tuple[IO[bytes], Path]]:
        """A file for a new backup, readable for its user only, and the path that it has when complete.

        Whatever ends the block early removes the file.
        """
        final = self.directory / f"{self.stack}-{made.strftime(TIME)}{UNVERIFIED}"
        partial = self.directory / f".{final.stem}{PARTIAL}"
        try:
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                yield file, final
                file.flush()
                os.fsync(file.fileno())
            partial.rename(final)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def clear_partial(self) -> None:
        """Remove what killed runs have left. Only for who holds the lock."""
        for path in self.directory.glob(f".{self.stack}-*{PARTIAL}"):
            path.unlink(missing_ok=True)

    def mark_verified(self, path: Path) -> Path:
        return path.rename(path.with_suffix(VERIFIED))

    def tidy(self, keep: int) -> list[Path]:
        """Remove what retention does not keep."""
        removed = superfluous(self.backups(), keep)
        for item in removed:
            item.path.unlink(missing_ok=True)
        return [item.path for item in removed]


def shelf_of(stack: str, given: Path | None, setting: str | None) -> Shelf:
    """The shelf that an option or a setting names, else the user's own for the stack."""
    directory = given or (Path(setting).expanduser() if setting else state_directory() / "backups" / stack)
    return Shelf(directory, stack)
