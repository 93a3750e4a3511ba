"""Removes an environment, down to the last file: by its state, or by its labels where that is lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components import labels
from ops.engine import containers, resources
from ops.env import leftovers
from ops.env.environment import Environment
from ops.errors import ExitCode, OperationError

if TYPE_CHECKING:
    from docker import APIClient

    from ops.session import Session


@dataclass(frozen=True)
class Removed:
    """What was removed: Pulumi's changes, what was swept by its labels, and files."""

    changes: dict[str, int]
    swept: list[str]
    files: list[str]

    @property
    def anything(self) -> bool:
        return bool(self.changes or self.swept or self.files)

    def as_json(self) -> dict[str, Any]:
        return {"changes": self.changes, "swept": self.swept, "files": len(self.files)}


def remove_environment(
    session: Session, api: APIClient, environment: Environment, say: Callable[[str], None]
) -> Removed:
    """Remove it. Raises OperationError; what is left then still has its lease, and can be removed again.

    Only for who holds the environment's lock.
    """
    from ops.backup.restore import Note
    from ops.data import data_volumes, is_protected, refuse_deletion
    from ops.down import remove_stack
    from ops.preflight.check import check_removal, judge_locks, refuse

    name, state, project = environment.name, environment.state, session.project.name
    changes: dict[str, int] = {}
    swept: list[str] = []
    lost = environment.lost
    if state is not None:
        check_removal(session, name, state, api, say)
        if is_protected(state, declared=False):
            refuse_deletion(name, data_volumes(environment.found, project, name), declared=False)
        kill(api, project, name, environment.owner)
        changes, swept = remove_stack(session, name, state, api, say, with_data=False)
    elif lost:
        refuse(judge_locks(session, name)[1], f"environment {name} cannot be removed now")
    elif environment.found:
        raise OperationError(
            f"environment {name} was made by another state: {', '.join(map(str, environment.found[:5]))}",
            f"Nothing was touched. Its leases name: {', '.join(lease.home for lease in environment.leases)}",
            ExitCode.REFUSED,
        )
    if environment.owner:
        # Of a restore into it, or of a copy, that was cut off.
        Note.of(environment.owner).remove()
    for lease in lost:
        say(f"The state of {name} is lost: removing what carries its labels")
        swept += sweep_owner(api, project, name, lease.owner)
    return Removed(changes, swept, leftovers.clear(session, name))


def kill(api: APIClient, project: str, stack: str, owner: str | None) -> None:
    """End its containers at once: nobody needs what they would save, and draining takes seconds."""
    from docker.errors import APIError

    def end(container: str) -> None:
        # One that has ended by itself is fine too.
        with suppress(APIError):
            api.kill(container)

    running = [
        item["Id"]
        for item in containers(api, project, stack)
        if item["State"] in ("running", "restarting") and item["Labels"].get(labels.OWNER) == owner
    ]
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(end, running))


def sweep_owner(api: APIClient, project: str, stack: str, owner: str) -> list[str]:
    """Remove what carries the labels of one stack and owner, and prove it. The lease goes last."""
    from ops.down import sweep

    swept = sweep(api, project, stack, owner)
    left = [item for item in resources(api, project, stack, images=True) if item.owner == owner]
    if left:
        raise OperationError(
            f"environment {stack} is not gone: {', '.join(map(str, left))}",
            f"Look at what still uses them, then run again: ./medianest env down {stack}",
        )
    return swept
