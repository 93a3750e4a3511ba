"""The plan of an update, as everything that shows or judges one takes it. No value in it is a secret."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

MASKED = "[secret]"


class Action(Enum):
    """What is done with a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


class Danger(IntEnum):
    """How much a change can hurt; the higher, the earlier it is told."""

    NONE = 0
    """Nobody notices: a release that is replaced create-first, a configuration that is reloaded."""
    SECRET = 1
    """A secret gets another value."""
    INTERRUPTION = 2
    """A part does not answer for a time."""
    DATA_LOSS = 3
    """Data is deleted."""


@dataclass(frozen=True)
class Interruption:
    """A part that does not answer while it is replaced.

    `part` is a component (`gateway`, `postgres`, …), `seconds` how long at most, by what its settings
    allow or what was measured; `meets` says who notices. `usual_seconds` is what it takes as a rule, 0
    where that was never measured.
    """

    part: str
    seconds: float
    meets: str
    usual_seconds: float = 0.0


@dataclass(frozen=True)
class Effect:
    """What a change means. `memory_mb` is what it takes (or, below 0, gives back) of the limits."""

    interruption: Interruption | None = None
    deletes_data: str = ""
    """What is lost, in words; empty where data is kept."""
    secrets: tuple[str, ...] = ()
    """Names of the secrets that get another value."""
    memory_mb: int = 0

    @property
    def danger(self) -> Danger:
        if self.deletes_data:
            return Danger.DATA_LOSS
        if self.interruption:
            return Danger.INTERRUPTION
        return Danger.SECRET if self.secrets else Danger.NONE


@dataclass(frozen=True)
class Difference:
    """One property, as a person reads it. Empty for absent; a secret's sides both read `MASKED`."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Change:
    """One operation on one resource, with what differs, why, and what that means."""

    urn: str
    name: str
    kind: str
    """Container, Volume, RemoteImage, …"""
    component: str
    """gateway, backend, postgres, redis, images, …"""
    action: Action
    differences: tuple[Difference, ...] = ()
    reasons: tuple[str, ...] = ()
    """Which setting, which file, which input of an image: one sentence each."""
    effect: Effect = Effect()


@dataclass(frozen=True)
class Drift:
    """Something that is not as the last update left it: changed, stopped or gone behind Pulumi's back."""

    resource: str
    what: str


@dataclass(frozen=True)
class StackPlan:
    """The plan of one stack. With `problem`, why there is none: then the rest is empty."""

    project: str
    stack: str
    changes: tuple[Change, ...] = ()
    """The most dangerous first."""
    unchanged: int = 0
    drift: tuple[Drift, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader must know beside: the stack is pinned, it is new, …"""
    problem: str = ""

    @property
    def danger(self) -> Danger:
        return max((change.effect.danger for change in self.changes), default=Danger.NONE)
