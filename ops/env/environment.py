"""What is known of one environment: on the engine, in the state, in the checkout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.engine import Resource, resources
from ops.env.judge import Whose, whose
from ops.env.lease import Lease, home_of, lease_in, read_leases
from ops.env.settings import is_made_by_us
from ops.errors import ExitCode, OperationError
from ops.names import VOLUME

if TYPE_CHECKING:
    from docker import APIClient

    from ops.session import Session
    from ops.state import StackState


@dataclass(frozen=True)
class Environment:
    """One name, and everything that there is under it. `leases` are of every owner."""

    name: str
    state: StackState | None
    leases: Sequence[Lease]
    found: Sequence[Resource]
    home: str

    @property
    def owner(self) -> str | None:
        return self.state.owner if self.state else None

    @property
    def lease(self) -> Lease | None:
        """Its own: as the engine has it, else as the state does."""
        on_engine = (item for item in self.leases if whose(item, self.home, self.owner) is Whose.OWN)
        return next(on_engine, None) or lease_in(self.state)

    @property
    def lost(self) -> list[Lease]:
        """Those whose state was this one, and is no more."""
        return [item for item in self.leases if whose(item, self.home, self.owner) is Whose.LOST]


def find(session: Session, api: APIClient, name: str) -> Environment:
    """Look at an environment. Raises OperationError for a long-lived stack.

    Nothing of a stack that has no lease is ever touched here.
    """
    project, home = session.project.name, home_of(session.environment)
    leases = read_leases(api, project, name)
    try:
        state = session.state(name)
    except OperationError:
        # Nobody mends the state of what is thrown away: damaged is as good as lost.
        if not any(whose(lease, home, None) is Whose.LOST for lease in leases):
            raise
        state = None
    environment = Environment(name, state, leases, resources(api, project, name), home)
    file = session.project.settings_file(name)
    if (file.exists() and not is_made_by_us(file)) or is_long_lived(environment):
        raise OperationError(
            f"{name} is a stack of its own, not an environment: it has no lease",
            f"Nothing was touched. Choose another name, or see: ./medianest up {name}, … down {name}",
            ExitCode.REFUSED,
        )
    return environment


def is_long_lived(environment: Environment) -> bool:
    """Whether the state has a volume and no lease, which would have come before it."""
    parts = environment.state.resources if environment.state else ()
    return environment.lease is None and any(part["type"] == VOLUME for part in parts)
