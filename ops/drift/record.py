"""What the state has on record of a stack, with which parts of it are secret."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from components import labels
from ops.names import CONTAINER, DYNAMIC, label_map, must_run, resource_name
from ops.plan.model import MASKED
from ops.state_check import SECRET_SIGNATURE

Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Recorded:
    """One resource as the last update left it. `inputs` hold secrets in plain: for comparing alone."""

    urn: str
    type: str
    id: str
    inputs: Inputs = field(repr=False)
    outputs: Inputs = field(default_factory=dict, repr=False)
    secret: frozenset[str] = frozenset()
    """Names of the inputs that are, or hold, secrets."""

    @property
    def name(self) -> str:
        return resource_name(self.urn)

    @property
    def live_name(self) -> str:
        """The name on the engine."""
        return str(self.inputs.get("name", self.id))

    @property
    def component(self) -> str:
        return label_map(self.inputs).get(labels.COMPONENT, "")

    @property
    def runs(self) -> bool:
        """Whether it is a container that runs: loaders never do."""
        return must_run(self.inputs)


def read_record(deployment: Mapping[str, Any]) -> list[Recorded]:
    """The resources of a deployment that was exported with its secrets.

    What waits to be deleted, or has failed while it was made, was never in use and is left out.
    """
    found = []
    for resource in deployment.get("resources") or ():
        if "id" not in resource or resource.get("delete") or resource.get("initErrors"):
            continue
        inputs, secret = plain(resource.get("inputs") or {})
        outputs, _ = plain(resource.get("outputs") or {})
        found.append(
            Recorded(
                resource["urn"], resource["type"], str(resource["id"]), inputs, outputs, frozenset(secret)
            )
        )
    return found


def waiting_to_go(deployment: Mapping[str, Any]) -> dict[str, str]:
    """Engine ids, with URNs, of what an update has replaced and could not remove: the next one does."""
    return {
        str(resource["id"]): resource["urn"]
        for resource in deployment.get("resources") or ()
        if "id" in resource and resource.get("delete")
    }


def plain(values: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Values with their secrets in plain, and the names of those that hold any."""
    secret = {name for name, value in values.items() if _holds_secret(value)}
    return {name: _unwrapped(value) for name, value in values.items()}, secret


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return SECRET_SIGNATURE in value or any(_holds_secret(part) for part in value.values())
    return isinstance(value, list) and any(_holds_secret(part) for part in value)


def _unwrapped(value: Any) -> Any:
    if isinstance(value, dict):
        if SECRET_SIGNATURE in value:
            return _unwrapped(json.loads(value["plaintext"])) if "plaintext" in value else MASKED
        return {name: _unwrapped(part) for name, part in value.items() if name != "__defaults"}
    return [_unwrapped(part) for part in value] if isinstance(value, list) else value


def mounts(item: Recorded, volume: str) -> bool:
    """Whether it is a container that mounts a volume."""
    return item.type == CONTAINER and any(
        mount.get("source") == volume for mount in item.inputs.get("mounts") or ()
    )


def process_limits(record: Iterable[Recorded]) -> dict[str, int]:
    """The limits on processes by container, which are on record as resources of their own."""
    return {
        str(item.inputs["container"]): int(item.inputs["limit"])
        for item in record
        if item.type == DYNAMIC and {"container", "limit"} <= item.inputs.keys()
    }


def declared_inputs(preview: Mapping[str, Any]) -> dict[str, Inputs]:
    """What the tree asks for now, by URN, out of `pulumi preview --json --show-sames`."""
    return {
        step["urn"]: plain((step.get("newState") or {}).get("inputs") or {})[0]
        for step in preview.get("steps") or ()
        if step.get("newState")
    }


def changed_steps(preview: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The steps of a preview that would change something."""
    return (step for step in preview.get("steps") or () if step["op"] not in {"same", "refresh", "read"})
