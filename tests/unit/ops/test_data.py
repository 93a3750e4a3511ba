"""What of a stack is data, and when it may be deleted."""

from __future__ import annotations

from typing import Any

import pytest

from components import labels
from ops.data import DataVolume, data_volumes, is_protected, refuse_deletion
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
