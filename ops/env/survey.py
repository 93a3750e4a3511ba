"""Every environment that there is, and everything that belongs to none: for the list and the reaper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ops.engine import Document, Resource, resources
from ops.env import settings as settings_of
from ops.env import sleep
from ops.env.judge import Whose, whose
from ops.env.lease import Lease, home_of, lease_in, read_leases
from ops.errors import OperationError

if TYPE_CHECKING:
    from docker import APIClient

    from ops.session import Session
    from ops.state import StackState


@dataclass(frozen=True)
class Leak:
    """Something without what it should belong to, and what to do about it."""

    stack: str
    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.what}. {self.hint}"


@dataclass(frozen=True)
class Seen:
    """One environment as it was seen."""

    lease: Lease
    whose: Whose
    parts: Mapping[str, list[Document]] = field(default_factory=dict)
    state: StackState | None = None


@dataclass(frozen=True)
class Survey:
    """What there is. `leaks` are told, never touched without being asked for by name."""

    environments: Sequence[Seen]
    leaks: Sequence[Leak]


def survey(session: Session, api: APIClient, say: Callable[[str], None]) -> Survey:
    """Look at everything that carries the project's labels, and at every state."""
    project, home = session.project.name, home_of(session.environment)
    found = resources(api, project, images=True)
    states: dict[str, StackState] = {}
    for stack in session.stacks():
        try:
            state = session.state(stack)
        except OperationError as error:
            say(f"{error.message}. It counts as lost.")
            continue
        if state is not None:
            states[stack] = state
    leases = read_leases(api, project)
    environments = [
        Seen(
            lease,
            standing,
            {} if standing is Whose.FOREIGN else sleep.parts_of(api, project, lease.stack, lease.owner),
            states.get(lease.stack) if standing is Whose.OWN else None,
        )
        for lease in leases
        for standing in [whose(lease, home, owner_of(states.get(lease.stack)))]
    ]
    return Survey(environments, find_leaks(session, states, found, leases))


def owner_of(state: StackState | None) -> str | None:
    return state.owner if state else None


def find_leaks(
    session: Session,
    states: Mapping[str, StackState],
    found: Sequence[Resource],
    leases: Sequence[Lease],
) -> list[Leak]:
    """Resources whose stack the state has lost, and stacks of which nothing is on the engine."""
    from ops.preflight.check import owners_of_copies

    known = {(stack, state.owner) for stack, state in states.items()}
    leased = {(lease.stack, lease.owner) for lease in leases}
    by_stack: dict[tuple[str, str | None], list[Resource]] = {}
    for resource in found:
        if resource.stack and resource.owner:
            by_stack.setdefault((resource.stack, resource.owner), []).append(resource)
    leaks = []
    for (stack, owner), items in sorted(by_stack.items(), key=lambda item: str(item[0])):
        # What nobody here has ever made is another state's, and none of this one's business.
        if (stack, owner) in known | leased or owner not in owners_of_copies(
            session, stack, states.get(stack)
        ):
            continue
        leaks.append(
            Leak(
                stack,
                f"the state of stack {stack} is lost, and the engine has {len(items)} resources of it, "
                f"without a lease: {', '.join(map(str, items[:3]))}{' …' if len(items) > 3 else ''}",
                f"Put it back: ./medianest state restore {stack}",
            )
        )
    for stack, state in sorted(states.items()):
        if lease_in(state) is not None and (stack, state.owner) not in by_stack:
            leaks.append(
                Leak(
                    stack,
                    f"environment {stack} has a state, but nothing of it is on this engine",
                    f"If it is the right engine, forget it: ./medianest env down {stack}",
                )
            )
    for stack in session.project.stacks():
        made_by_us = settings_of.is_made_by_us(session.project.settings_file(stack))
        if made_by_us and stack not in states and not any(key[0] == stack for key in by_stack):
            leaks.append(
                Leak(
                    stack,
                    f"Pulumi.{stack}.yaml is of an environment that is not there",
                    f"./medianest env down {stack}",
                )
            )
    return leaks
