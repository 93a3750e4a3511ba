"""Reports that were made: a file a kind, a line a report, each kept for some days."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LARGEST_BYTES = 32 * 1024 * 1024
_DAY = 86400.0


class History:
    """Reports below a directory. What is too old, or too much, is dropped when the file is rewritten."""

    def __init__(self, directory: Path, days: int, largest_bytes: int = LARGEST_BYTES) -> None:
        self._directory = directory
        self._days = days
        self._largest = largest_bytes
        self._tidied: dict[str, float] = {}
        directory.mkdir(parents=True, exist_ok=True)

    def add(self, kind: str, at: float, content: Mapping[str, Any]) -> None:
        """Append a report. Raises OSError."""
        path = self._path(kind)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"at": at, "report": kind, **content}, default=str) + "\n")
        # Rewriting a month for each minute's line would cost more than the report.
        if at - self._tidied.get(kind, 0.0) > _DAY / 4 or path.stat().st_size > self._largest:
            self._tidy(kind, at)

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
        lines = [json.dumps(report) for report in self.read(kind, now - self._days * _DAY)]
        size, kept = 0, []
        for line in reversed(lines):
            size += len(line) + 1
            # Half, so that it is not rewritten for the next line again.
            if size > self._largest / 2:
                break
            kept.append(line)
        path = self._path(kind)
        new = path.with_suffix(".new")
        new.write_text("".join(f"{line}\n" for line in reversed(kept)), encoding="utf-8")
        new.replace(path)
        self._tidied[kind] = now

    def _path(self, kind: str) -> Path:
        return self._directory / f"{kind}.jsonl"
