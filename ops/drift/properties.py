"""What it means when a property differs, and how it is put back: one row a property."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ops.drift.model import ABSENT, OTHER, Mending
from ops.plan.model import MASKED


@dataclass(frozen=True)
class Row:
    """`free_text` is what a person may have put a secret into: its live value is never shown."""

    meaning: str
    mending: Mending = Mending.REPLACE
    free_text: bool = False


_LIMIT = "It may use more, or less, of the machine than its limits say"
_RIGHTS = "Its processes have other rights than were declared"
_RUNS = "Another program runs than was declared, or the same one in another way"

ROWS: Mapping[str, Row] = {
    "image": Row("It runs another image than the one that was deployed"),
    "name": Row("It is not found under its own name: logs and checks miss it"),
    "command": Row(_RUNS, free_text=True),
    "entrypoint": Row(_RUNS, free_text=True),
    "user": Row("It runs as another user: it may read what it must not, or not read its own files"),
    "environment": Row("The program is told something else than was declared", free_text=True),
    "labels": Row("It is not found, or found as something else, by its labels"),
    "mounts": Row("It works on other data or other files than was declared"),
    "tmpfs": Row("It has another place for passing files than was declared"),
    "networks": Row("Others find it where they should not, or do not find it", Mending.IN_PLACE),
    "ports": Row("It is published where it should not be, or not where clients look for it"),
    "memory": Row(_LIMIT, Mending.IN_PLACE),
    "memorySwap": Row(_LIMIT, Mending.IN_PLACE),
    "cpus": Row(_LIMIT, Mending.IN_PLACE),
    "cpuSet": Row(_LIMIT),
    "cpuShares": Row(_LIMIT),
    "processes": Row(_LIMIT, Mending.IN_PLACE),
    "restart": Row("It may stay down after a crash or a restart of the engine", Mending.IN_PLACE),
    "capabilities": Row(_RIGHTS),
    "privileged": Row(_RIGHTS),
    "securityOpts": Row(_RIGHTS),
    "readOnly": Row(_RIGHTS),
    "init": Row("What its processes leave behind is not cleared away"),
    "healthcheck": Row("Its health is told by another check, so a bad one may pass for good", free_text=True),
    "stopTimeout": Row("It is given another time to drain before it is killed"),
    "log": Row("Its log may fill the disk, or be lost", free_text=True),
    "driver": Row("It is kept by another driver than was declared"),
    "internal": Row("What is on it may reach the outside, or no longer reach it"),
}

# Words of ours, which hold no secret: see docs/contract.md.
_OWN_LABELS = "labels.medianest."


def row(name: str) -> Row:
    """The row of a property, such as memory or environment.PORT."""
    return ROWS[name.partition(".")[0]]


def shown(value: str | None, *, secret: bool) -> str:
    """A declared or recorded value as it may be shown."""
    if value is None:
        return ABSENT
    return MASKED if secret and value else value


def shown_live(name: str, value: str | None) -> str:
    """A live value that differs, as it may be shown: nobody knows what a person has typed into it."""
    if value is None:
        return ABSENT
    free = row(name).free_text or (name.startswith("labels.") and not name.startswith(_OWN_LABELS))
    return OTHER if free and value else value
