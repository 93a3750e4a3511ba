"""A file while it is being received."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from medianest.media.headers import SIGNATURE_BYTES, Header, read_header
from medianest.media.threads import Threads

# Handed to a thread at a time; what an upload takes of memory.
_PIECE = 256 * 1024


class Incoming:
    """Hashed while it is written. `start` are its first bytes, `size` is what has come so far."""

    def __init__(self, path: Path, run: Threads) -> None:
        self.path = path
        self.start = b""
        self.size = 0
        self._run = run
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._buffer = bytearray()

    async def write(self, data: bytes) -> None:
        """Raises VolumeError."""
        self.size += len(data)
        self.start += data[: SIGNATURE_BYTES - len(self.start)]
        self._buffer += data
        if len(self._buffer) >= _PIECE:
            piece, self._buffer = self._buffer, bytearray()
            await self._run(self._append, piece)

    async def finish(self) -> str:
        """Put everything on the disk. Returns the content's SHA-256. Raises VolumeError."""
        await self._run(self._finish)
        return self._hash.hexdigest()

    async def header(self) -> Header:
        """Of a finished file. Raises HeaderError and VolumeError."""
        return await self._run(self._header)

    def open(self) -> None:
        """Raises OSError, as `discard` does."""
        self._file = self.path.open("xb", buffering=0)

    def discard(self) -> None:
        """Close it, and remove it unless it was moved elsewhere."""
        if self._file is not None:
            self._file.close()
        self.path.unlink(missing_ok=True)

    def _append(self, piece: bytearray) -> None:
        assert self._file is not None
        self._hash.update(piece)
        rest = memoryview(piece)
        while rest:  # a file without a buffer may take less than it is given
            rest = rest[self._file.write(rest) :]

    def _finish(self) -> None:
        assert self._file is not None
        self._append(self._buffer)
        os.fsync(self._file.fileno())

    def _header(self) -> Header:
        with self.path.open("rb") as file:
            return read_header(file)
