"""What carries a stack's labels, made by the state at hand, though the state does not know it.

A run that was killed at an unlucky moment leaves such resources, or a state that was put back from an
older copy. Data among them is never touched: it is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from components import labels
from ops.container_commands import PASSING
from ops.engine import Resource, drain_container, remove, resources
from ops.state import StackState

if TYPE_CHECKING:
    from docker import APIClient

# They hold a volume or a port that their successor needs; backends serve beside it until it is there.
EXCLUSIVE = frozenset({"postgres", "redis", "gateway", "prometheus", "alertmanager", "guardian"})
# The order in which the engine lets go of them.
ORDER = ("container", "network", "volume")


def unknown(state: StackState, found: Sequence[Resource]) -> list[Resource]:
    """Containers, networks and volumes of this state's stack that it does not know."""
    known = {resource.get("id") for resource in state.resources}
    known |= {(resource.get("inputs") or {}).get("name") for resource in state.pending("creating")}
    return sorted(
        (
            resource
            for resource in found
            if resource.owner == state.owner
            and resource.kind in ORDER
            and resource.labels.get(labels.COMPONENT) not in PASSING
            and not {resource.id, resource.name} & known
        ),
        key=lambda resource: ORDER.index(resource.kind),
    )


def is_data(resource: Resource) -> bool:
    return resource.kind == "volume" and resource.labels.get(labels.COMPONENT) in labels.DATA_COMPONENTS


def in_the_way(found: Sequence[Resource]) -> list[Resource]:
    """Those of unknown resources that a new one could not stand beside."""
    return [
        resource
        for resource in found
        if resource.kind == "container" and resource.labels.get(labels.COMPONENT) in EXCLUSIVE
    ]


def clear_unknown(
    api: APIClient, project: str, stack: str, state: StackState, say: Callable[[str], None]
) -> None:
    """Remove what an update has made superfluous, and name data that the state does not know."""
    from docker.errors import APIError

    for resource in unknown(state, resources(api, project, stack)):
        if is_data(resource):
            say(f"Not known to the state, and left alone since it holds data: {resource}")
            continue
        say(f"Removing what the state does not know: {resource}")
        try:
            if resource.kind == "container":
                # It may serve: somebody has started it, or a run that was killed behind that.
                drain_container(api, resource.id)
            else:
                remove(api, resource)
        except APIError as error:
            say(f"  it stays: {error.explanation}")
