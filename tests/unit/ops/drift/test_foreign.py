from __future__ import annotations

from typing import Any

import pytest

from ops.drift.foreign import Own, foreign_containers, labelled
from ops.drift.mending import plan_of
from ops.drift.model import Mending
from ops.engine import Resource

OWN = Own("medianest", "staging", {"c1"}, {"data"}, {"postgres-data"})
LABELS = {"medianest.project": "medianest", "medianest.stack": "staging"}


def listed(
    identity: str, *, networks: tuple[str, ...] = (), volume: str = "", **labels: str
) -> dict[str, Any]:
    return {
        "Id": identity,
        "Names": [f"/name-{identity}"],
        "Labels": labels,
        "NetworkSettings": {"Networks": {name: {} for name in networks}},
        "Mounts": [{"Name": volume}] if volume else [{"Source": "/etc"}],
    }


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (listed("c1", networks=("data",)), []),
        (listed("x"), []),
        (listed("x", networks=("bridge", "data")), ["networks"]),
        (listed("x", volume="postgres-data"), ["mounts"]),
        (listed("x", networks=("data",), volume="postgres-data"), ["networks", "mounts"]),
        (listed("x", networks=("data",), **LABELS), []),
    ],
)
def test_a_container_that_reaches_in_is_told_and_left_alone(item: dict[str, Any], told: list[str]) -> None:
    found = foreign_containers([item], OWN)
    assert [finding.property for finding in found] == told
    assert all(finding.mending is Mending.NONE for finding in found)


@pytest.mark.parametrize(
    ("kind", "component", "owner", "mending"),
    [
        ("container", "backend", "me", Mending.REMOVE),
        ("network", "network", "me", Mending.REMOVE),
        ("volume", "backend-secrets", "me", Mending.REMOVE),
        ("volume", "postgres", "me", Mending.NONE),
        ("container", "backend", "another", Mending.NONE),
    ],
)
def test_what_carries_the_labels_and_nobody_declared(
    kind: str, component: str, owner: str, mending: Mending
) -> None:
    labels = {"medianest.owner": owner, "medianest.component": component}
    (found,) = labelled([Resource(kind, "id", "name", labels)], "me", {"c1"})
    assert found.mending is mending


@pytest.mark.parametrize("component", ["one-shot", "scratch", "soak", "deploying"])
def test_the_stacks_own_commands_are_no_drift(component: str) -> None:
    passing = Resource("container", "id", "name", {"medianest.component": component})
    assert labelled([passing], "me", set()) == []


def test_what_is_known_is_no_drift() -> None:
    assert labelled([Resource("volume", "v1", "v1", {})], "me", {"v1"}) == []


def test_what_an_update_could_not_remove_is_for_the_next_one() -> None:
    (found,) = labelled(
        [Resource("volume", "v1", "v1", {"medianest.owner": "me"})], "me", set(), {"v1": "urn:v1"}
    )
    assert (found.mending, found.urn) == (Mending.REMOVE, "urn:v1")
    assert plan_of([found], []).update
