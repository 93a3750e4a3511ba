"""A stack's data: the volumes that hold it, and whether they may be deleted without a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components import labels
from ops.engine import Resource
from ops.errors import ExitCode, OperationError
from ops.names import VOLUME, label_map, resource_name, short_name
from ops.output import megabytes
from ops.state import StackState

if TYPE_CHECKING:
    from docker import APIClient

HOLDS = {
    "postgres": "the database of PostgreSQL",
    "redis": "the cache of Redis",
    "backend": "files of the backend",
}


@dataclass(frozen=True)
class DataVolume:
    """A volume with data. `purpose` is its resource's name; `size` in bytes, None where unknown."""

    name: str
    component: str
    purpose: str
    size: int | None = None

    def __str__(self) -> str:
        size = "size unknown" if self.size is None else megabytes(self.size)
        return f"{self.name} ({size}): {HOLDS[self.component]}"


def data_volumes(
    found: Iterable[Resource], project: str, stack: str, sizes: Mapping[str, int] | None = None
) -> list[DataVolume]:
    """Those of a stack's resources that are volumes with data, found by their labels."""
    sizes = sizes or {}
    return [
        DataVolume(
            resource.name,
            resource.labels[labels.COMPONENT],
            short_name(resource.name, project, stack),
            sizes.get(resource.name),
        )
        for resource in found
        if resource.kind == "volume" and resource.labels.get(labels.COMPONENT) in labels.DATA_COMPONENTS
    ]


def volumes_of(state: StackState, component: str) -> dict[str, str]:
    """The volumes of one component that the state has in use: their names on the engine, by resource."""
    return {
        resource_name(item["urn"]): str(item["id"])
        for item in state.resources
        if item["type"] == VOLUME
        and label_map(item.get("inputs") or {}).get(labels.COMPONENT) == component
        # One that was replaced, and could not be removed then.
        and not item.get("delete")
    }


def volume_sizes(api: APIClient) -> dict[str, int]:
    """Bytes by name of volume. The engine counts them file by file, which takes a moment."""
    listed = api.df().get("Volumes") or ()
    sizes = {item["Name"]: int((item.get("UsageData") or {}).get("Size", -1)) for item in listed}
    # The engine says -1 where it cannot tell.
    return {name: size for name, size in sizes.items() if size >= 0}


def is_protected(state: StackState | None, declared: bool) -> bool:
    """Whether a stack's data is protected: by its settings, or by what was last deployed.

    Both have to say that it is not. Settings that were never deployed may be another branch's.
    """
    resources = state.resources if state else ()
    return declared or any(item.get("protect") for item in resources if item["type"] == VOLUME)


def refuse_deletion(stack: str, volumes: Sequence[DataVolume], *, declared: bool) -> None:
    """Raises OperationError that says what would be lost, how to save it and how to delete it."""
    listed = "\n".join(f"  - {volume}" for volume in volumes)
    # Where the settings already say so, it has only to be deployed.
    throw_away = "" if declared else f" (its settings say that it may: ./medianest up {stack} deploys that)"
    raise OperationError(
        f"stack {stack} has data that is protected{throw_away}. Nothing was touched. "
        f"Deleted for good would be:\n{listed}",
        f"Save it first: ./medianest backup {stack}\n"
        f"Then delete it: ./medianest down {stack} --delete-data\n"
        "A stack to throw away says so in its settings: medianest:data: {protected: false}",
        ExitCode.REFUSED,
        {"volumes": [{"name": item.name, "size": item.size, "purpose": item.purpose} for item in volumes]},
    )
