"""What of a stack is data, and when it may be deleted."""

from __future__ import annotations

from typing import Any

import pytest

from components import labels
from ops.data import DataVolume, data_volumes, is_protected, refuse_deletion, volumes_of
from ops.engine import Resource
from ops.errors import ExitCode, OperationError
from ops.state import StackState, read_checkpoint


def volume(component: str, name: str) -> Resource:
    return Resource("volume", name, name, {labels.COMPONENT: component})


def test_volumes_with_data_are_known_by_their_labels() -> None:
    found = [
        volume("postgres", "p-s-postgres-data-0a1b2c"),
        volume("postgres-secrets", "p-s-postgres-secrets-0a1b2c"),
        volume("backend", "p-s-backend-media-0a1b2c"),
        volume("gateway-configuration", "p-s-gateway-0a1b2c"),
        Resource("container", "c", "p-s-backend-0-0a1b2c", {labels.COMPONENT: "backend"}),
    ]
    listed = data_volumes(found, "p", "s", {"p-s-backend-media-0a1b2c": 2_500_000})
    assert listed == [
        DataVolume("p-s-postgres-data-0a1b2c", "postgres", "postgres-data"),
        DataVolume("p-s-backend-media-0a1b2c", "backend", "backend-media", 2_500_000),
    ]
    assert str(listed[0]) == "p-s-postgres-data-0a1b2c (size unknown): the database of PostgreSQL"
    assert "(2 MB): files of the backend" in str(listed[1])


def known_volume(resource: str, component: str, **more: Any) -> dict[str, Any]:
    marks = [{"__defaults": [], "label": labels.COMPONENT, "value": component}]
    urn = f"urn:pulumi:s::p::docker:index/volume:Volume::{resource}"
    return {"type": "docker:index/volume:Volume", "urn": urn, "id": f"p-s-{resource}-0a1b2c"} | {
        "inputs": {"labels": marks},
        **more,
    }


def test_the_volumes_of_a_component_are_those_with_its_label_whatever_they_are_called() -> None:
    known = StackState(
        (
            known_volume("backend-media", "backend"),
            known_volume("backend-redis", "backend"),
            known_volume("backend-old", "backend", delete=True),
            known_volume("backend-secrets", "backend-secrets"),
            known_volume("redis-data", "redis"),
            known_volume("prometheus-data", "prometheus"),
            known_volume("guardian-memory", "guardian"),
            {"type": "docker:index/container:Container", "urn": "u::backend-0", "id": "c"},
            {"type": "docker:index/volume:Volume", "urn": "u::bare", "id": "v"},
        )
    )
    backend = {"backend-media": "p-s-backend-media-0a1b2c", "backend-redis": "p-s-backend-redis-0a1b2c"}
    assert volumes_of(known, "backend") == backend
    assert volumes_of(known, "redis") == {"redis-data": "p-s-redis-data-0a1b2c"}


def state(*, protect: bool) -> StackState:
    resource: dict[str, Any] = {"type": "docker:index/volume:Volume", "protect": protect}
    return read_checkpoint({"resources": [resource, {"type": "other", "protect": True}]})


@pytest.mark.parametrize(
    ("known", "declared", "protected"),
    [
        (None, True, True),
        (None, False, False),
        (state(protect=True), True, True),
        (state(protect=True), False, True),
        (state(protect=False), True, True),
        (state(protect=False), False, False),
    ],
)
def test_data_may_go_only_when_settings_and_state_say_so(
    known: StackState | None, declared: bool, protected: bool
) -> None:
    assert is_protected(known, declared) is protected


def test_a_refusal_names_what_would_be_lost_and_how_to_save_it() -> None:
    volumes = [DataVolume("v1", "postgres", "postgres-data", 65_000_000), DataVolume("v2", "redis", "r")]
    with pytest.raises(OperationError) as caught:
        refuse_deletion("s", volumes, declared=True)
    assert caught.value.code is ExitCode.REFUSED
    assert "v1 (65 MB): the database of PostgreSQL" in caught.value.message
    assert "v2" in caught.value.message
    assert "./medianest backup s" in caught.value.hint
    assert "--delete-data" in caught.value.hint
    assert caught.value.details["volumes"][0] == {
        "name": "v1",
        "size": 65_000_000,
        "purpose": "postgres-data",
    }
