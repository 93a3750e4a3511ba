"""What every command works with: the project, Pulumi's environment and its state."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ops.environment import pulumi_variables
from ops.errors import ExitCode, OperationError
from ops.paths import project_root
from ops.project import Project, read_project, require_stack
from ops.state import FileBackend, StackState, read_checkpoint


@dataclass(frozen=True)
class Session:
    """One run of the command line in one checkout."""

    project: Project
    environment: Mapping[str, str]

    @property
    def files(self) -> FileBackend | None:
        """The back end where it is a directory."""
        return FileBackend.from_url(self.environment["PULUMI_BACKEND_URL"])

    def state(self, stack: str) -> StackState | None:
        """What the state knows of a stack; None where it has no such stack."""
        if self.files:
            return self.files.read(self.project.name, stack)
        from ops.pulumi import Pulumi

        with Pulumi(self.project, stack, self.environment) as pulumi:
            deployment = pulumi.export()
        return None if deployment is None else read_checkpoint(deployment)

    def stacks(self) -> list[str]:
        """Every stack that has settings or, in a back end of files, a state."""
        stored = self.files.stacks(self.project.name) if self.files else []
        return sorted({*self.project.stacks(), *stored})

    def require_stack(self, stack: str) -> None:
        require_stack(stack, self.stacks())

    def deployed(self, stack: str, otherwise: ExitCode = ExitCode.FAILED) -> StackState:
        """The state of a stack that must have been deployed. Raises OperationError with that code."""
        self.require_stack(stack)
        state = self.state(stack)
        if state is None or not state.outputs:
            raise OperationError(f"stack {stack} is not deployed", f"Run: ./medianest up {stack}", otherwise)
        return state


def open_session() -> Session:
    """The session of this checkout, user and machine."""
    return Session(read_project(project_root()), {**os.environ, **pulumi_variables()})
