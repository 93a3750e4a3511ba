"""Journal and memory as one: what is written down is remembered."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from guardian.record.entries import Entry, Kind, Outcome
from guardian.record.journal import Journal
from guardian.record.memory import remembered

log = logging.getLogger("guardian")


class Notebook:
    """Reads what there is when it is made. Raises OSError when the directory cannot be used."""

    def __init__(self, directory: Path) -> None:
        self._journal = Journal(directory)
        self.memory = remembered(self._journal.read())
        for fingerprint in self.memory.alerts:
            # Nobody could tell of it while the guardian did not run.
            self.memory.fires_still(fingerprint, time.time())

    def note(
        self,
        kind: Kind,
        what: str,
        outcome: Outcome | str = "",
        *,
        at: float | None = None,
        component: str = "",
        container: str = "",
        why: str = "",
        evidence: str = "",
        about: str = "",
        details: dict[str, Any] | None = None,
    ) -> None:
        """Write an entry down and remember it. A disk that is full stops nothing: it is logged."""
        added = Entry(
            time.time() if at is None else at,
            kind,
            what,
            str(outcome),
            component,
            container,
            why,
            evidence,
            about,
            details or {},
        )
        self.memory.apply(added)
        try:
            self._journal.append(added)
        except OSError as error:
            log.critical("the journal cannot be written", extra={"error": error.strerror})
