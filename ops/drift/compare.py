"""Holds what the record asks for against what the engine's documents tell. Pure: nothing is asked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ops.drift.container import Properties, condition
from ops.drift.interruptions import of_replacing
from ops.drift.model import ABSENT, UNKNOWN, Finding, Mending
from ops.drift.properties import row, shown, shown_live
from ops.drift.record import Inputs, Recorded
from ops.engine import Document
from ops.names import label_map

GONE, THERE = "gone", "there"
# What is mended how, of containers that are to run and do not.
CONDITIONS: Mapping[str, tuple[str, Mending]] = {
    "exited": ("It is stopped, and serves nobody", Mending.START),
    "created": ("It was never started, and serves nobody", Mending.START),
    "paused": ("It is frozen: whoever asks it waits for nothing", Mending.IN_PLACE),
    "unhealthy": ("It runs, but its own health check fails", Mending.REPLACE),
    "restarting": ("It ends again and again", Mending.REPLACE),
    "removing": ("The engine cannot get rid of it", Mending.REPLACE),
    "dead": ("The engine cannot get rid of it", Mending.REPLACE),
}
# Inputs that a container's properties are made of under another name.
SOURCES = {"environment": "envs", "log": "logOpts"}
DOCKER_KINDS = {"Container": "container", "Network": "network", "Volume": "volume", "RemoteImage": "image"}


def kind_of(recorded: Recorded) -> str:
    """container, network, volume or image."""
    return DOCKER_KINDS[recorded.type.rpartition(":")[2]]


def existence(recorded: Recorded, meaning: str, mending: Mending, declared: bool | None) -> Finding:
    """A recorded resource that the engine has not."""
    return Finding(
        resource=recorded.name,
        kind=kind_of(recorded),
        component=recorded.component,
        property="existence",
        declared=UNKNOWN if declared is None else THERE if declared else ABSENT,
        recorded=THERE,
        live=GONE,
        meaning=meaning,
        mending=mending,
    )


def made_by_hand(recorded: Recorded, live_id: str, declared: bool | None, *, serves: bool) -> Finding:
    """A resource of the recorded name that is another one: Pulumi does not know it."""
    gone = existence(
        recorded,
        "Somebody has made it anew by hand: Pulumi does not know this one",
        Mending.CREATE,
        declared,
    )
    return replace(
        gone,
        property="id",
        declared=recorded.id[:12] if declared else gone.declared,
        recorded=recorded.id[:12],
        live=live_id[:12],
        interruption=of_replacing(recorded, serves=serves),
    )


def container_condition(recorded: Recorded, inspected: Document) -> list[Finding]:
    """A container that is to run and does not, or is not well."""
    found = condition(inspected)
    if not recorded.runs or found not in CONDITIONS:
        return []
    meaning, mending = CONDITIONS[found]
    serves = found == "unhealthy" and mending is Mending.REPLACE
    return [
        Finding(
            resource=recorded.name,
            kind="container",
            component=recorded.component,
            property="state",
            declared="running",
            recorded="running",
            live=found,
            meaning=meaning,
            mending=mending,
            urn=recorded.urn,
            target=recorded.id,
            interruption=of_replacing(recorded, serves=serves),
        )
    ]


def cut_off(findings: list[Finding]) -> list[Finding]:
    """A container that is cut off from a network may be unhealthy for that alone: it is attached again.

    One that is replaced create-first is replaced all the same, which costs nothing.
    """
    if not any(found.property.startswith("networks.") and found.live == ABSENT for found in findings):
        return findings
    return [
        replace(
            found,
            meaning=f"{found.meaning}: it is cut off from a network",
            mending=Mending.IN_PLACE,
            interruption=None,
        )
        if found.live == "unhealthy" and found.interruption
        else found
        for found in findings
    ]


def differences(
    recorded: Recorded,
    asked: Properties,
    found: Properties,
    declared: Properties | None,
    *,
    serves: bool,
    mending: Mending | None = None,
) -> list[Finding]:
    """Every property in which a live resource is not as recorded. `mending` is that of its whole."""
    told = []
    for name in sorted(asked.keys() | found.keys()):
        if asked.get(name) == found.get(name):
            continue
        what = row(name)
        first = name.partition(".")[0]
        secret = SOURCES.get(first, first) in recorded.secret
        way = mending or (what.mending if recorded.runs else Mending.REPLACE)
        if way is Mending.IN_PLACE and first == "networks" and name in asked and name in found:
            # Attached under other names: to detach it first would cut its connections off.
            way = Mending.REPLACE
        interrupts = way in {Mending.REPLACE, Mending.CREATE}
        told.append(
            Finding(
                resource=recorded.name,
                kind=kind_of(recorded),
                component=recorded.component,
                property=name,
                declared=UNKNOWN if declared is None else shown(declared.get(name), secret=secret),
                recorded=shown(asked.get(name), secret=secret),
                live=shown_live(name, found.get(name)),
                meaning=what.meaning,
                mending=way,
                urn=recorded.urn,
                target=recorded.id,
                interruption=of_replacing(recorded, serves=serves) if interrupts else None,
            )
        )
    return told


def volume_properties(inputs: Inputs) -> Properties:
    """What a volume is to be."""
    return {"driver": str(inputs.get("driver") or "local"), **_labels(label_map(inputs))}


def live_volume(inspected: Document) -> Properties:
    return {"driver": str(inspected["Driver"]), **_labels(inspected.get("Labels") or {})}


def network_properties(inputs: Inputs) -> Properties:
    """What a network is to be."""
    internal = "yes" if inputs.get("internal") else "no"
    driver = str(inputs.get("driver") or "bridge")
    return {"driver": driver, "internal": internal, **_labels(label_map(inputs))}


def live_network(inspected: Document) -> Properties:
    internal = "yes" if inspected.get("Internal") else "no"
    return {
        "driver": str(inspected["Driver"]),
        "internal": internal,
        **_labels(inspected.get("Labels") or {}),
    }


def _labels(labels: Mapping[str, str]) -> Properties:
    return {f"labels.{name}": str(value) for name, value in labels.items()}
