"""What every component of one stack knows: its names, its settings and its labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pulumi

from components import labels
from components.settings import StackSettings


@dataclass(frozen=True)
class Stack:
    """One environment. `owner` identifies the state that made it (see `StackOwner`)."""

    project: str
    name: str
    root: Path
    settings: StackSettings
    owner: pulumi.Output[str]

    def labels(self, component: str) -> dict[str, pulumi.Input[str]]:
        """The labels of everything of this stack. They are constant: see docs/contract.md."""
        return {
            labels.PROJECT: self.project,
            labels.OWNER: self.owner,
            labels.STACK: self.name,
            labels.COMPONENT: component,
        }
