"""What the journal is made of: one entry for whatever the guardian was told, decided and did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What an entry tells of."""

    ALERT = "alert"
    EVENT = "event"
    DECISION = "decision"
    ACTION = "action"
    PAGE = "page"
    REPORT = "report"


class Outcome(StrEnum):
    """How it went, or where it stands."""

    FIRING = "firing"
    RESOLVED = "resolved"
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    WAITING = "waiting"
    LEFT = "left alone"
    GIVEN_UP = "given up"
    RECOVERED = "recovered"
    SENT = "sent"
    NOT_SENT = "not sent"


@dataclass(frozen=True)
class Entry:
    """One line. `about` identifies the problem; `evidence` is a directory below the guardian's volume."""

    at: float
    kind: Kind
    what: str
    outcome: str = ""
    component: str = ""
    container: str = ""
    why: str = ""
    evidence: str = ""
    about: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Without what is empty."""
        return {key: value for key, value in asdict(self).items() if value not in ("", {})}


def entry(document: Mapping[str, Any]) -> Entry:
    """An entry as `as_json` writes it. Raises KeyError, TypeError and ValueError for anything else."""
    return Entry(**{**document, "at": float(document["at"]), "kind": Kind(document["kind"])})
