"""What a change means for those who use the stack: interruption, data, secrets, memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from components import labels
from ops.names import VOLUME, label_map
from ops.plan.model import Action, Effect, Interruption
from ops.plan.operations import Operation, Properties

# Who notices that a component is away. What watches the stack serves nobody who uses it: it is not here.
MEETS = {
    "gateway": "every request",
    "backend": "every request",
    "postgres": "requests that need the database",
    "redis": "requests that need the cache",
}
# What a replacement took as a rule: docs/previews.md, "How long an interruption is".
USUAL_SECONDS = {"gateway": 2.0, "postgres": 4.0, "redis": 3.0}
# The provider's own: what it waits where a container says nothing of it.
WAIT_SECONDS = 60
FOR_GOOD = "until something else takes its place: it is removed"


def effects(operations: Sequence[Operation], kept: Mapping[str, int]) -> dict[str, Effect]:
    """The effect of each operation, by URN. `kept` counts by component the containers that run on."""
    serving = Counter(kept)
    serving.update(
        operation.component
        for operation in operations
        if operation.is_service and operation.action is not Action.DELETE
    )
    return {operation.urn: effect(operation, serving[operation.component]) for operation in operations}


def effect(operation: Operation, serving: int = 0) -> Effect:
    """One operation's effect. `serving` is how many containers of its component there are afterwards."""
    return Effect(
        interruption=interruption(operation, serving),
        deletes_data=deleted_data(operation),
        secrets=rotated(operation),
        memory_mb=memory(operation),
    )


def interruption(operation: Operation, serving: int) -> Interruption | None:
    """Who has to wait, and for how long.

    What is replaced create-first, made, or changed in place interrupts nobody; neither does a replica
    that goes while others stay, nor what watches the stack.
    """
    part = operation.component
    if not operation.is_service or part not in MEETS:
        return None
    if operation.action is Action.REPLACE and operation.stops_first:
        most = stop_seconds(operation.old) + start_seconds(operation.new)
        return Interruption(part, most, MEETS[part], USUAL_SECONDS.get(part, 0.0))
    if operation.action is Action.DELETE and not serving:
        return Interruption(part, stop_seconds(operation.old), f"{MEETS[part]}, {FOR_GOOD}")
    return None


def stop_seconds(inputs: Properties) -> float:
    """The most that the provider lets a container of these inputs take to stop."""
    return number(inputs.get("destroyGraceSeconds"), 0)


def start_seconds(inputs: Properties) -> float:
    """The most that the provider waits for one to get healthy."""
    return number(inputs.get("waitTimeout"), WAIT_SECONDS)


def deleted_data(operation: Operation) -> str:
    """What data goes, in words. Other volumes hold what can be made again."""
    if operation.type != VOLUME or operation.action not in (Action.DELETE, Action.REPLACE):
        return ""
    # By the label of the one that is there now; by its component where labels are not known.
    component = label_map(operation.old).get(labels.COMPONENT, operation.component)
    if component not in labels.DATA_COMPONENTS:
        return ""
    return f"everything in volume {operation.name}"


def rotated(operation: Operation) -> tuple[str, ...]:
    """A secret that is made anew or given up; one that is new has no other value before it."""
    if operation.is_secret and operation.action is not Action.CREATE:
        return (str(operation.inputs.get("name") or operation.name),)
    return ()


def memory(operation: Operation) -> int:
    """How much more of the host's memory the limits allow, in MB."""
    if not operation.is_service:
        return 0
    return round(number(operation.new.get("memory"), 0) - number(operation.old.get("memory"), 0))


def number(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) else otherwise
