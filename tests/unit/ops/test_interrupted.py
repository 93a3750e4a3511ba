"""What is done about creations that a killed run cut off."""

from __future__ import annotations

from typing import Any

from components import labels
from ops.engine import Resource
from ops.interrupted import begun, without_creations
from ops.state import read_checkpoint

OWNER = {
    "type": "docker:index/volume:Volume",
    "id": "v1",
    "inputs": {"labels": [{"label": labels.OWNER, "value": "me"}]},
}
CREATING = {"type": "creating", "resource": {"urn": "u", "type": "t", "inputs": {"name": "s-web-1"}}}
DELETING = {"type": "deleting", "resource": {"urn": "w", "type": "t", "inputs": {"name": "s-old-1"}}}
DEPLOYMENT: dict[str, Any] = {
    "resources": [OWNER, {"type": "docker:index/container:Container", "id": "known", "inputs": {}}],
    "pending_operations": [CREATING, DELETING],
}


def container(name: str, identifier: str = "new", owner: str = "me") -> Resource:
    return Resource("container", identifier, name, {labels.OWNER: owner})


def test_only_what_was_being_created_by_this_owner_is_removed() -> None:
    cut_off = container("s-web-1")
    found = [
        cut_off,
        container("s-web-1", owner="you"),
        container("s-web-2"),
        container("s-old-1"),
        container("s-web-1", identifier="known"),
    ]
    assert begun(read_checkpoint(DEPLOYMENT), found) == [cut_off]


def test_after_an_orderly_end_nothing_is_removed() -> None:
    state = read_checkpoint({**DEPLOYMENT, "pending_operations": None})
    assert begun(state, [container("s-web-1")]) == []


def test_creations_are_forgotten_and_nothing_else() -> None:
    mended = without_creations(DEPLOYMENT)
    assert mended["pending_operations"] == [DELETING]
    assert mended["resources"] == DEPLOYMENT["resources"]
    assert without_creations({"resources": []})["pending_operations"] == []
