"""A running stack as backups see it: its database, its volumes, and the keys and labels for its helpers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops import container_commands
from ops.backup.files import Files
from ops.backup.postgres import Server, server_of
from ops.container_commands import VolumeShell
from ops.data import volumes_of
from ops.deploy_mark import deploying
from ops.state import StackState

if TYPE_CHECKING:
    from docker import APIClient

    from components.settings import StackSettings
    from ops.session import Session


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
        return {
            resource.removeprefix("backend-"): Files(self.shell, volume)
            for resource, volume in sorted(volumes_of(self.state, "backend").items())
        }

    @property
    def cache(self) -> Files:
        """The volume of Redis."""
        (volume,) = volumes_of(self.state, "redis").values()
        return Files(self.shell, volume)

    def marked(self) -> AbstractContextManager[None]:
        """While the block runs the guardian starts nothing that is stopped."""
        return deploying(self.api, self.session.project.name, self.stack, self.owner)

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
