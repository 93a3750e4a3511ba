"""What nobody declared: with the stack's labels, on its networks, or at its volumes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from components import labels
from ops.container_commands import PASSING
from ops.drift.model import ABSENT, Finding, Mending
from ops.engine import Document, Resource
from ops.unknown import is_data


@dataclass(frozen=True)
class Own:
    """What the stack has, by which others are told from its own."""

    project: str
    stack: str
    ids: Collection[str]
    """Of recorded containers, and of those that have taken their place."""
    networks: Collection[str]
    volumes: Collection[str]


def foreign_containers(listed: Iterable[Document], own: Own) -> list[Finding]:
    """Containers that are no part of the stack and reach into it; `listed` are all of the engine's."""
    told = []
    for item in listed:
        marks = item.get("Labels") or {}
        labelled = marks.get(labels.PROJECT) == own.project and marks.get(labels.STACK) == own.stack
        if item["Id"] in own.ids or labelled:
            continue
        attached = sorted(
            name for name in (item.get("NetworkSettings") or {}).get("Networks") or {} if name in own.networks
        )
        used = sorted(
            str(mount["Name"]) for mount in item.get("Mounts") or () if mount.get("Name") in own.volumes
        )
        name = item["Names"][0].lstrip("/")
        if attached:
            meaning = f"Nobody declared it, and it reaches what is on that network. docker rm -f {name}"
            told.append(_foreign(name, "container", "networks", ", ".join(attached), meaning))
        if used:
            meaning = f"Nobody declared it, and it reads what is in that volume. docker rm -f {name}"
            told.append(_foreign(name, "container", "mounts", ", ".join(used), meaning))
    return told


def labelled(
    found: Sequence[Resource],
    owner: str | None,
    known: Collection[str],
    waiting: Mapping[str, str] | None = None,
) -> list[Finding]:
    """What carries the stack's labels, and is no part of it. `waiting` is what Pulumi has to remove."""
    told = []
    for resource in found:
        if {resource.id, resource.name} & set(known) or resource.labels.get(labels.COMPONENT) in PASSING:
            continue
        component = resource.labels.get(labels.COMPONENT, "")
        if resource.owner != owner:
            meaning = (
                "Another state made it, under the same stack's name. Whose it is, its owner's label says"
            )
            mending = Mending.NONE
        elif urn := (waiting or {}).get(resource.id):
            meaning = "It was replaced, and could not be removed then"
            gone = _foreign(
                resource.name, resource.kind, "existence", "there", meaning, Mending.REMOVE, component
            )
            told.append(replace(gone, urn=urn))
            continue
        elif is_data(resource):
            meaning = "The state does not know it. It holds data, so it is for a person to remove it"
            mending = Mending.NONE
        else:
            meaning = "Nobody declared it, and it passes for a part of the stack"
            mending = Mending.REMOVE
        told.append(_foreign(resource.name, resource.kind, "existence", "there", meaning, mending, component))
    return told


def _foreign(
    name: str,
    kind: str,
    what: str,
    live: str,
    meaning: str,
    mending: Mending = Mending.NONE,
    component: str = "",
) -> Finding:
    return Finding(name, kind, component, what, ABSENT, ABSENT, live, meaning, mending)
