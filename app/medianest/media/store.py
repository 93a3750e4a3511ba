"""The files: a volume that the replicas of a backend share.

    incoming/<random>           uploads and thumbnails that are being written
    pictures/ab/abcd…/original  under the SHA-256 of the content
    pictures/ab/abcd…/160.webp

A file appears under `pictures` complete and written to the disk, or not at all.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

from medianest.media.incoming import Incoming
from medianest.media.limits import SIZES
from medianest.media.threads import Threads, VolumeError

_SHA256 = re.compile(r"^[0-9a-f]{64}$")
# Longer than anything takes to be written, or to get a row in the database.
_LEFT_BEHIND_SECONDS = 3600.0


class Store:
    """Files by content. Nothing of it is locked: who places or removes a content holds its row."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.scratch = directory / "incoming"
        self._pictures = directory / "pictures"
        self._run = Threads()

    async def open(self) -> None:
        """Make the directories. Raises VolumeError with a message for people."""
        try:
            await self._run(self._prepare)
        except VolumeError as error:
            raise VolumeError(
                f"MEDIA_DIRECTORY {self.directory} cannot be written ({error}): it must be a directory,"
                f" or a volume, that belongs to user {os.getuid()}"
            ) from error

    def close(self) -> None:
        """Let the threads go."""
        self._run.close()

    def original(self, sha256: str) -> Path:
        return self._directory(sha256) / "original"

    def thumbnail(self, sha256: str, size: int) -> Path:
        return self._directory(sha256) / f"{size}.webp"

    @contextlib.asynccontextmanager
    async def receive(self) -> AsyncIterator[Incoming]:
        """A new file, which is gone at the end unless it was placed. Raises VolumeError."""
        incoming = Incoming(self.scratch / secrets.token_hex(16), self._run)
        try:
            await self._run(incoming.open)
            yield incoming
        finally:
            await self._run(incoming.discard)

    async def place(self, incoming: Incoming, sha256: str) -> None:
        """Under its content's name, in place of what is there, which is the same. Raises VolumeError."""
        await self._run(self._place, incoming.path, sha256)

    async def read_thumbnail(self, sha256: str, size: int) -> bytes | None:
        """None when there is none. Raises VolumeError."""
        return await self._run(_content, self.thumbnail(sha256, size))

    async def has_thumbnails(self, sha256: str) -> bool:
        """Whether all of them are there. Raises VolumeError."""
        return await self._run(lambda: all(self.thumbnail(sha256, size).exists() for size in SIZES))

    async def remove(self, sha256: str) -> None:
        """All files of a content; none is fine. Raises VolumeError."""
        await self._run(_remove_tree, self._directory(sha256))

    async def tidy(self) -> list[str]:
        """Remove what killed processes have left unfinished. Returns the contents that are older than
        that, for whoever knows which of them belong to nothing. Raises VolumeError."""
        return await self._run(self._tidy)

    def _directory(self, sha256: str) -> Path:
        return self._pictures / sha256[:2] / sha256

    def _prepare(self) -> None:
        for directory in (self.scratch, self._pictures):
            directory.mkdir(parents=True, exist_ok=True)
            probe = directory / secrets.token_hex(16)
            probe.touch(exist_ok=False)
            probe.unlink()

    def _place(self, path: Path, sha256: str) -> None:
        directory = self._directory(sha256)
        directory.mkdir(parents=True, exist_ok=True)
        path.replace(directory / "original")
        for changed in (directory, directory.parent, self._pictures):
            _sync(changed)

    def _tidy(self) -> list[str]:
        oldest = time.time() - _LEFT_BEHIND_SECONDS
        for path in self.scratch.iterdir():
            if _changed_at(path) < oldest:
                path.unlink(missing_ok=True)
        return [
            path.name
            for path in self._pictures.glob("??/*")
            if _SHA256.match(path.name) and _changed_at(path) < oldest
        ]


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _remove_tree(directory: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(directory)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()
