"""Reports that were made: a file a kind, a line a report, each kept for some days."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

# A month of a health report each minute fits in: it is only there for what nobody has foreseen.
LARGEST_BYTES = 256 * 1024 * 1024
_DAY = 86400.0


class History:
    """Reports below a directory. What is older than `days` is dropped now and then; what is too much at once,
    to half of what there may be. The file is never held in memory: the guardian has little of it."""

    def __init__(self, directory: Path, days: int, largest_bytes: int = LARGEST_BYTES) -> None:
        self._directory = directory
        self._days = days
        self._largest = largest_bytes
        self._tidied: dict[str, float] = {}
        directory.mkdir(parents=True, exist_ok=True)

    def add(self, kind: str, at: float, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Append a report, and return what was written. Raises OSError."""
        path = self._path(kind)
        report = {"at": at, "report": kind, **content}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(report, default=str) + "\n")
        # Rewriting a month for each minute's line would cost more than the report.
        if at - self._tidied.get(kind, 0.0) > _DAY / 4 or path.stat().st_size > self._largest:
            self._tidy(kind, at)
        return report

    def read(self, kind: str, since: float = 0.0) -> Iterator[Mapping[str, Any]]:
        """The reports of a kind, the oldest first. A line that was cut off is passed over."""
        path = self._path(kind)
        if not path.exists():
            return
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    report = json.loads(line)
                    if report["at"] >= since:
                        yield report
                except (ValueError, KeyError, TypeError):
                    continue

    def _tidy(self, kind: str, now: float) -> None:
        path = self._path(kind)
        with path.open("rb") as old:
            start = self._start(old, now - self._days * _DAY, path.stat().st_size)
            if start:
                old.seek(start)
                new = path.with_suffix(".new")
                with new.open("wb") as file:
                    shutil.copyfileobj(old, file)
                new.replace(path)
        self._tidied[kind] = now

    def _start(self, file: BinaryIO, since: float, size: int) -> int:
        """Where what is kept begins. Reports stand in the order in which they were made."""
        start, most = 0, None
        for line in file:
            if most is None and _moment(line) >= since:
                # Half, so that it is not rewritten for the next line again.
                most = size if size - start <= self._largest else self._largest // 2
            if most is not None and size - start <= most:
                return start
            start += len(line)
        return start

    def _path(self, kind: str) -> Path:
        return self._directory / f"{kind}.jsonl"


def _moment(line: bytes) -> float:
    """When a report was made; 0 for a line that is none."""
    try:
        return float(json.loads(line)["at"])
    except (ValueError, KeyError, TypeError):
        return 0.0
