"""What Pulumi would do, folded from the events of a preview: one operation a resource.

The events' form: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/events.go
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ops.names import CONTAINER, DYNAMIC, resource_name
from ops.plan.model import Action

Properties = Mapping[str, Any]
# The names of the engine for operations; a replacement is three events, told by the middle one.
ACTIONS = {
    "create": Action.CREATE,
    "update": Action.UPDATE,
    "replace": Action.REPLACE,
    "delete": Action.DELETE,
}
COMPONENT_PREFIX = "medianest:index:"


@dataclass(frozen=True)
class Operation:
    """One operation on one resource; `old` and `new` are its inputs, with secrets masked by Pulumi.

    `paths` are those of the properties that differ, as the provider tells them. With `stops_first` the
    old one is gone before the new one is there.
    """

    urn: str
    action: Action
    old: Properties = field(default_factory=dict)
    new: Properties = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    protected: bool = False
    stops_first: bool = False

    @property
    def name(self) -> str:
        return resource_name(self.urn)

    @property
    def type(self) -> str:
        return own_type(self.urn)

    @property
    def component(self) -> str:
        return component_of(self.urn)

    @property
    def inputs(self) -> Properties:
        """Those that tell what it is: the new ones, where there are any."""
        return self.new or self.old

    @property
    def is_secret(self) -> bool:
        return self.type == DYNAMIC and "generation" in self.inputs

    @property
    def is_process_limit(self) -> bool:
        return self.type == DYNAMIC and {"container", "limit"} <= self.inputs.keys()

    @property
    def is_refused(self) -> bool:
        """Whether the update will be refused for it: nothing deletes or replaces what is protected."""
        return self.protected and self.action in (Action.DELETE, Action.REPLACE)

    @property
    def is_loader(self) -> bool:
        """A container that never runs: it only takes files into a volume."""
        return self.type == CONTAINER and self.inputs.get("start") is False

    @property
    def is_service(self) -> bool:
        """A container that runs."""
        return self.type == CONTAINER and not self.is_loader


@dataclass(frozen=True)
class Found:
    """What a refresh has found of one resource: gone, or with other properties than the state has."""

    urn: str
    gone: bool
    old: Properties
    new: Properties
    paths: tuple[str, ...] = ()


class Preview:
    """Takes in the events of one preview."""

    def __init__(self) -> None:
        self._operations: dict[str, Operation] = {}
        self._deleted: set[str] = set()
        self._stopped_first: set[str] = set()
        self.kept: set[str] = set()
        """Resources that stay as they are; components and providers are no resources here."""
        self.serving: Counter[str] = Counter()
        """How many containers of each component run on as they are."""
        self.found: list[Found] = []

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in one event."""
        if "resourcePreEvent" in event:
            self._begin(event["resourcePreEvent"]["metadata"])
        elif "resOutputsEvent" in event:
            metadata = event["resOutputsEvent"]["metadata"]
            if metadata["op"] == "refresh" and is_resource(metadata["urn"]):
                self._refreshed(metadata)

    @property
    def operations(self) -> list[Operation]:
        """In the order of their names."""
        found = sorted(self._operations.values(), key=lambda operation: operation.name)
        return [replace(item, stops_first=item.urn in self._stopped_first) for item in found]

    def _begin(self, metadata: Mapping[str, Any]) -> None:
        urn, operation = metadata["urn"], metadata["op"]
        if not is_resource(urn):
            return
        if operation == "delete-replaced":
            self._deleted.add(urn)
        elif operation == "create-replacement" and urn in self._deleted:
            self._stopped_first.add(urn)
        elif operation == "same":
            inputs = (metadata.get("new") or {}).get("inputs") or {}
            if urn not in self.kept and own_type(urn) == CONTAINER and inputs.get("start") is not False:
                self.serving[component_of(urn)] += 1
            self.kept.add(urn)
        elif operation in ACTIONS:
            old, new = metadata.get("old") or {}, metadata.get("new") or {}
            self._operations[urn] = Operation(
                urn,
                ACTIONS[operation],
                old.get("inputs") or {},
                # A deletion has the old one on both sides.
                {} if operation == "delete" else new.get("inputs") or {},
                tuple(metadata.get("detailedDiff") or metadata.get("diffs") or ()),
                protected=bool(old.get("protect")),
            )

    def _refreshed(self, metadata: Mapping[str, Any]) -> None:
        old, new = metadata.get("old") or {}, metadata.get("new")
        paths = tuple(metadata.get("detailedDiff") or metadata.get("diffs") or ())
        if new is None or paths:
            inputs = (new or {}).get("inputs") or {}
            self.found.append(Found(metadata["urn"], new is None, old.get("inputs") or {}, inputs, paths))


def own_type(urn: str) -> str:
    """A resource's type, without those of its parents."""
    return urn.split("::")[2].rsplit("$", 1)[-1]


def component_of(urn: str) -> str:
    """The component that a resource belongs to: gateway, postgres, …; `stack` for what has none."""
    outermost = urn.split("::")[2].split("$", 1)[0]
    if not outermost.startswith(COMPONENT_PREFIX):
        return "stack"
    return outermost.removeprefix(COMPONENT_PREFIX).lower()


def is_resource(urn: str) -> bool:
    """Whether it is more than a group or a provider."""
    return not own_type(urn).startswith((COMPONENT_PREFIX, "pulumi:"))
