"""The common form of what set-up provides."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from ops.setup.work import Work

State = Literal["present", "provided"]


class Step(Protocol):
    """One thing that has to be there before a stack can be deployed."""

    @property
    def name(self) -> str: ...

    @property
    def after(self) -> tuple[str, ...]:
        """Names of the steps that it needs; all others may run beside it."""

    def missing(self) -> str | None:
        """What is missing, in a few words, or None. Quick, and changes nothing."""

    def intends(self) -> str | None:
        """What `provide` changes on the system beyond the user's own files, or None. Asked about once."""

    def provide(self, work: Work) -> None:
        """Provide it. Safe to interrupt and to run again. Raises OperationError."""


@dataclass(frozen=True)
class StepResult:
    """How a step ended; a step that fails ends the command instead."""

    name: str
    state: State
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": round(self.seconds, 2)}
