"""A running stack as backups see it: its database, its volumes, and the keys and labels for its helpers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops import container_commands
from ops.backup.files import Files
from ops.backup.postgres import Server, server_of
from ops.container_commands import VolumeShell
from ops.state import StackState

if TYPE_CHECKING:
    from docker import APIClient

    from components.settings import StackSettings
    from ops.session import Session

# Purposes of volumes in the stack's outputs that hold something else than files of the backend.
SERVICES = ("postgres", "redis")


@dataclass(frozen=True)
class Target:
    """One deployed stack on one engine."""

    session: Session
    stack: str
    state: StackState
    settings: StackSettings
    api: APIClient
    server: Server
    shell: VolumeShell

    @property
    def owner(self) -> str:
        return str(self.state.owner)

    @property
    def files(self) -> dict[str, Files]:
        """The backend's volumes by their names in the settings."""
        volumes = self.state.outputs["volumes"]
        return {
            name: Files(self.shell, volume)
            for name, volume in sorted(volumes.items())
            if name not in SERVICES
        }

    @property
    def cache(self) -> Files:
        """The volume of Redis."""
        return Files(self.shell, self.state.outputs["volumes"]["redis"])

    def clear_helpers(self) -> None:
        """Remove the helpers of a run that was killed."""
        container_commands.clear(self.api, self.session.project.name, self.stack)


def open_target(session: Session, stack: str) -> Target:
    """The stack, which must be deployed and whose Postgres must run. Raises OperationError."""
    from ops.engine import connect
    from ops.project import load_settings

    state = session.deployed(stack)
    settings = load_settings(session.project, stack)
    api = connect(session.environment)
    server = server_of(api, state.outputs["containers"]["postgres"][0])
    shell = container_commands.shell_for(
        api, session.project.root, session.project.name, stack, str(state.owner)
    )
    return Target(session, stack, state, settings, api, server, shell)
