from __future__ import annotations

from typing import Any

import pytest

from ops.drift.quick import announce_unseen, drifted, health, unseen
from ops.engine import Resource
from ops.state import StackState

CONTAINER = "docker:index/container:Container"


def declared(kind: str, identity: str, **inputs: Any) -> dict[str, Any]:
    return {"type": kind, "id": identity, "inputs": inputs, "outputs": {"name": f"name-{identity}"}}


def live(*resources: tuple[str, str]) -> list[Resource]:
    return [Resource(kind, identity, f"name-{identity}", {}) for kind, identity in resources]


STATE = StackState(
    resources=(
        declared(CONTAINER, "c1"),
        declared(CONTAINER, "loader", mustRun=False),
        declared("docker:index/network:Network", "n1"),
        declared("docker:index/volume:Volume", "v1"),
        declared("docker:index/remoteImage:RemoteImage", "i1"),
    )
)
WHOLE = live(("container", "c1"), ("container", "loader"), ("network", "n1"), ("volume", "v1"))
RUNNING = [{"Id": "c1", "State": "running"}, {"Id": "loader", "State": "created"}]


def test_a_stack_that_is_as_recorded_has_not_drifted() -> None:
    assert drifted(STATE, WHOLE, RUNNING) == []


def test_a_stack_without_a_state_has_not_drifted() -> None:
    assert drifted(None, WHOLE, RUNNING) == []


def test_a_stopped_container_is_told() -> None:
    assert drifted(STATE, WHOLE, [{"Id": "c1", "State": "exited"}]) == ["container name-c1 is stopped"]


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        (("container", "c1"), "container name-c1 is gone"),
        (("container", "loader"), "container name-loader is gone"),
        (("network", "n1"), "network name-n1 is gone"),
        (("volume", "v1"), "volume name-v1 is gone"),
    ],
)
def test_what_is_gone_is_told(gone: tuple[str, str], told: str) -> None:
    left = [resource for resource in WHOLE if (resource.kind, resource.id) != gone]
    assert drifted(STATE, left, RUNNING) == [told]


def test_what_failed_while_it_was_made_may_be_gone() -> None:
    failed = declared(CONTAINER, "c2") | {"initErrors": ["it never got healthy"]}
    assert drifted(StackState(resources=(*STATE.resources, failed)), WHOLE, RUNNING) == []


def test_what_waits_to_be_deleted_may_be_gone() -> None:
    state = StackState(resources=({**declared(CONTAINER, "old"), "delete": True},))
    assert drifted(state, [], []) == []


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"Running": True, "Status": "running", "Health": {"Status": "starting"}}, "starting"),
        ({"Running": True, "Status": "running", "Health": {"Status": "healthy"}}, "healthy"),
        ({"Running": False, "Status": "exited", "Health": {"Status": "healthy"}}, "exited"),
        ({"Running": True, "Status": "running"}, "running"),
    ],
)
def test_the_health_of_what_does_not_run_is_its_status(state: dict[str, Any], expected: str) -> None:
    assert health({"State": state}) == expected


def attached(*networks: str) -> list[dict[str, Any]]:
    ends: dict[str, dict[str, Any]] = {name: {} for name in networks}
    return [{"Id": "c1", "State": "running", "NetworkSettings": {"Networks": ends}}]


@pytest.mark.parametrize(
    ("networks", "told"),
    [
        (("public", "data"), []),
        (("public",), ["container c is not on network data"]),
        (("public", "data", "other"), ["container c is on network other"]),
    ],
)
def test_networks_which_pulumi_does_not_look_at_are_told(networks: tuple[str, ...], told: list[str]) -> None:
    declared_networks = [{"name": "public"}, {"name": "data"}]
    state = StackState((declared(CONTAINER, "c1", name="c", networksAdvanced=declared_networks),))
    assert unseen(state, attached(*networks)) == told
    said: list[str] = []
    announce_unseen("staging", unseen(state, attached(*networks)), said.append)
    assert len(said) == len(told)
    assert all("./medianest drift staging --fix" in line for line in said)


def test_without_a_state_there_is_nothing_to_hold_networks_against() -> None:
    assert unseen(None, attached("data")) == []
