"""From the operations of a preview to the changes of a plan, the most dangerous first."""

from __future__ import annotations

from collections.abc import Sequence

from ops.names import DYNAMIC
from ops.plan.differences import compare, differences, kind, readable_name
from ops.plan.effects import effects
from ops.plan.model import Change, Drift
from ops.plan.operations import Found, Operation, Preview, own_type
from ops.plan.reasons import Background, reasons

REFUSED = "The update will be refused: {} is protected and holds data. Its data would be lost."


def changes(preview: Preview, background: Background) -> tuple[Change, ...]:
    """Every change but those that only follow another: limits on the processes of a container."""
    operations = preview.operations
    effect = effects(operations, preview.serving)
    services = {operation.name for operation in operations if operation.is_service}
    found = [
        Change(
            urn=operation.urn,
            name=readable_name(operation),
            kind=kind(operation),
            component=operation.component,
            action=operation.action,
            differences=differences(operation),
            reasons=reasons(operation, operations, background),
            effect=effect[operation.urn],
        )
        for operation in operations
        if not follows_container(operation, services)
    ]
    return tuple(sorted(found, key=lambda change: (-change.effect.danger, change.component, change.name)))


def follows_container(operation: Operation, services: set[str]) -> bool:
    return operation.is_process_limit and operation.name.removesuffix("-processes") in services


def refusals(operations: Sequence[Operation]) -> list[str]:
    """What of it the update will be refused for, one sentence each."""
    return [REFUSED.format(operation.name) for operation in operations if operation.is_refused]


def drift_of(found: Sequence[Found], quick: Sequence[str]) -> tuple[Drift, ...]:
    """What a refresh has found, and the quick look: each resource is told once."""
    told = {name: Drift(name, what) for name, what in map(split, quick)}
    for item in found:
        name = str(item.old.get("name") or item.urn.rpartition("::")[2])
        label = f"{own_type(item.urn).rsplit(':', 1)[-1].lower()} {name}"
        if label not in told and not follows_one(item):
            told[label] = Drift(label, describe(item))
    return tuple(sorted(told.values(), key=lambda drift: drift.resource))


def split(line: str) -> tuple[str, str]:
    """A line of the quick look: "container NAME is stopped"."""
    name, _, what = line.partition(" is ")
    return name, what


def follows_one(item: Found) -> bool:
    """A dynamic resource only repeats what its container tells."""
    return own_type(item.urn) == DYNAMIC and item.gone


def describe(item: Found) -> str:
    """What has become of a resource."""
    if item.gone:
        return "gone"
    shown = [f"{one.path}: {one.old} → {one.new}" for one in compare(item.old, item.new)]
    if shown:
        return f"changed by hand: {', '.join(shown)}"
    if "mustRun" in item.paths:
        return "stopped"
    return f"changed by hand: {', '.join(item.paths)}"
