"""What a look at a stack finds, as everything that shows or mends it takes it. No value in it is a secret."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from ops.plan.model import Interruption

ABSENT = ""
"""In a column: the side has no such thing."""
OTHER = "differs"
"""In the live column, of text that may hold a secret: it is another one."""
UNKNOWN = "not known"


class Mending(Enum):
    """How `--fix` puts something back."""

    IN_PLACE = "changed in place"
    """By the engine, in what runs: Pulumi could only replace it."""
    START = "started again"
    CREATE = "made anew"
    REPLACE = "replaced"
    """Backends create-first; what holds a volume or a port stops first, and so interrupts."""
    WRITE_FILES = "written again"
    SET_UP_AGAIN = "set up again"
    REMOVE = "removed"
    """What carries the stack's labels and this state's owner, once its successor serves."""
    NONE = "left alone"
    """Not mended: the meaning says what a person can do."""


@dataclass(frozen=True)
class Finding:
    """One property of one resource that is not as it was recorded.

    `recorded` is what the last update asked for, `declared` what the tree asks for now, `live` what the
    engine or a service says.
    """

    resource: str
    kind: str
    """container, volume, network, image, file, account."""
    component: str
    property: str
    declared: str
    recorded: str
    live: str
    meaning: str
    mending: Mending
    urn: str = ""
    """Of the recorded resource that a fix has to touch; empty where there is none."""
    target: str = ""
    """The engine's id of what a fix changes in place."""
    interruption: Interruption | None = None

    def as_json(self) -> dict[str, Any]:
        """The finding for machines."""
        gap = self.interruption
        return {
            "resource": self.resource,
            "kind": self.kind,
            "component": self.component,
            "property": self.property,
            "declared": self.declared,
            "recorded": self.recorded,
            "live": self.live,
            "meaning": self.meaning,
            "fix": self.mending.value,
            "interruption": {"part": gap.part, "seconds": gap.seconds, "meets": gap.meets} if gap else None,
        }


@dataclass(frozen=True)
class Pending:
    """A change that the tree declares and nobody has deployed."""

    resource: str
    operation: str
    properties: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """One look at a stack. `notes` say what could not be looked at, and why."""

    findings: tuple[Finding, ...] = ()
    pending: tuple[Pending, ...] = ()
    notes: tuple[str, ...] = ()
    looked_at: int = 0
    """How many resources the look went over."""
    knows_the_tree: bool = True
    """Whether the tree's program could be asked what it declares."""

    @property
    def is_clean(self) -> bool:
        return not self.findings and not self.pending
