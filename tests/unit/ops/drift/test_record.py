from __future__ import annotations

import json
from typing import Any

from ops.drift.images import is_shared
from ops.drift.record import (
    changed_steps,
    declared_inputs,
    process_limits,
    read_record,
    waiting_to_go,
)
from ops.names import DYNAMIC, label_map
from ops.state_check import SECRET_SIGNATURE


def secret(value: Any) -> dict[str, str]:
    return {SECRET_SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(value)}


def resource(name: str, **more: Any) -> dict[str, Any]:
    return {"urn": f"urn::{name}", "type": DYNAMIC, "id": name, "inputs": {}, "outputs": {}} | more


def test_secrets_are_in_plain_for_comparing_and_known_as_such() -> None:
    inputs = {"uploads": secret([{"file": "/a"}]), "nested": [{"deep": secret("x")}], "plain": 1}
    (found,) = read_record({"resources": [resource("a", inputs=inputs)]})
    assert found.inputs == {"uploads": [{"file": "/a"}], "nested": [{"deep": "x"}], "plain": 1}
    assert found.secret == {"uploads", "nested"}
    assert "/a" not in repr(found)


def test_what_was_never_in_use_is_left_out() -> None:
    waiting, failed = resource("old", delete=True), resource("bad", initErrors=["not healthy"])
    component = {"urn": "urn::backend", "type": "medianest:index:Backend"}
    deployment = {"resources": [waiting, failed, component]}
    assert read_record(deployment) == []
    assert waiting_to_go(deployment) == {"old": "urn::old"}


def test_labels_and_limits_are_read_off_the_inputs() -> None:
    assert label_map({"labels": [{"label": "a", "value": "b"}]}) == {"a": "b"}
    limits = resource("p", inputs={"container": "c1", "limit": 200.0})
    assert process_limits(read_record({"resources": [limits]})) == {"c1": 200}


def test_a_preview_tells_what_the_tree_declares_and_what_would_change() -> None:
    same = {"op": "same", "urn": "urn::a", "newState": {"inputs": {"memory": 1}}}
    update = {"op": "update", "urn": "urn::b", "newState": {"inputs": {"memory": 2}}}
    gone = {"op": "delete", "urn": "urn::c", "oldState": {"inputs": {}}}
    preview = {"steps": [same, update, gone]}
    assert declared_inputs(preview) == {"urn::a": {"memory": 1}, "urn::b": {"memory": 2}}
    assert [step["urn"] for step in changed_steps(preview)] == ["urn::b", "urn::c"]


def test_an_image_with_a_stacks_label_is_its_own() -> None:
    assert is_shared({"name": "medianest/redis:abc", "build": {"label": {"medianest.component": "redis"}}})
    assert is_shared({"name": "redis:8"})
    assert not is_shared({"name": "medianest/backend:x", "build": {"label": {"medianest.stack": "staging"}}})
