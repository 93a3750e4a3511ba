"""Mends the state after a run that was killed: what it had begun to create is removed and forgotten.

Pulumi notes in the state what it is about to create, with its name. A run that ends before the engine
has answered leaves that note: whether the resource is there, the state does not know. Anything of
that name with the stack's own labels is of no use to anybody, since nothing else ever referred to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ops.engine import Resource, remove, resources
from ops.pulumi import Pulumi
from ops.state import StackState

if TYPE_CHECKING:
    from docker import APIClient

    from ops.session import Session

CREATING = "creating"


def begun(state: StackState, found: Sequence[Resource]) -> list[Resource]:
    """What is on the engine of the creations that were cut off."""
    names = {(operation.get("inputs") or {}).get("name") for operation in state.pending(CREATING)}
    known = {resource.get("id") for resource in state.resources}
    return [
        resource
        for resource in found
        if resource.name in names and resource.id not in known and resource.owner == state.owner
    ]


def without_creations(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """A deployment that has forgotten the creations that were cut off."""
    pending = deployment.get("pending_operations") or ()
    return {**deployment, "pending_operations": [item for item in pending if item["type"] != CREATING]}


def mend(session: Session, stack: str, api: APIClient, say: Callable[[str], None]) -> None:
    """Remove what a killed run had begun to create. Does nothing after a run that ended in order."""
    state = session.state(stack)
    if state is None or not state.pending(CREATING):
        return
    for resource in begun(state, resources(api, session.project.name, stack)):
        say(f"Removing what an interrupted run had begun: {resource}")
        remove(api, resource)
    with Pulumi(session.project, stack, session.environment) as pulumi:
        deployment = pulumi.export()
        if deployment is not None:
            pulumi.replace_state(without_creations(deployment))
