"""The journal: a file to which lines are appended, and which is put aside when it has got large."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from guardian.record.entries import Entry, entry

LARGEST_BYTES = 8 * 1024 * 1024
KEPT_FILES = 4
NAME = "journal.jsonl"


class Journal:
    """Appends entries. A line that was cut off by the end of the process is passed over when read."""

    def __init__(self, directory: Path, largest_bytes: int = LARGEST_BYTES) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / NAME
        self._largest = largest_bytes
        self._mend()

    def append(self, added: Entry) -> None:
        """Written through to the disk: what is done next must be remembered. Raises OSError."""
        if self._path.exists() and self._path.stat().st_size > self._largest:
            self._rotate()
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(added.as_json(), ensure_ascii=False) + "\n")
            file.flush()
            os.fdatasync(file.fileno())

    def read(self, files: int = KEPT_FILES) -> Iterator[Entry]:
        """The entries of the newest files, the oldest entry first."""
        for path in reversed(self._paths()[:files]):
            with path.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    try:
                        yield entry(json.loads(line))
                    except (ValueError, KeyError, TypeError):
                        continue

    def _paths(self) -> list[Path]:
        """The files that are there, the newest first."""
        return [path for number in range(KEPT_FILES) if (path := self._numbered(number)).exists()]

    def _numbered(self, number: int) -> Path:
        return self._path if number == 0 else self._path.with_name(f"{NAME}.{number}")

    def _rotate(self) -> None:
        for number in range(KEPT_FILES - 1, 0, -1):
            if (path := self._numbered(number - 1)).exists():
                path.replace(self._numbered(number))

    def _mend(self) -> None:
        """End a line that was cut off, so that the next one is a line of its own."""
        if not self._path.exists() or self._path.stat().st_size == 0:
            return
        with self._path.open("rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
