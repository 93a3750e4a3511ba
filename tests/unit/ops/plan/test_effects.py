from __future__ import annotations

from typing import Any

import pytest

from ops.plan.effects import effect, effects
from ops.plan.model import Action, Danger
from ops.plan.operations import Operation


def container(component: str, action: Action, **values: Any) -> Operation:
    name = f"{component}-0" if component == "backend" else component
    outermost = f"medianest:index:{component.capitalize()}"
    urn = f"urn:pulumi:s::medianest::{outermost}$docker:index/container:Container::{name}"
    inputs = {"memory": 100, "destroyGraceSeconds": 30, "waitTimeout": 60}
    old = {} if action is Action.CREATE else inputs
    new = {} if action is Action.DELETE else inputs
    return Operation(urn, action, old, new, **values)


@pytest.mark.parametrize(
    ("operation", "serving", "interrupts"),
    [
        (container("gateway", Action.REPLACE, stops_first=True), 1, "every request"),
        (container("redis", Action.REPLACE, stops_first=True), 1, "requests that need the cache"),
        # What watches the stack serves nobody who uses it.
        (container("guardian", Action.REPLACE, stops_first=True), 1, None),
        (container("exporters", Action.REPLACE, stops_first=True), 1, None),
        (container("prometheus", Action.DELETE), 0, None),
        # As when its network is replaced: the engine stops every backend first.
        (container("backend", Action.REPLACE, stops_first=True), 2, "every request"),
        (container("backend", Action.REPLACE), 2, None),
        (container("gateway", Action.UPDATE), 1, None),
        (container("gateway", Action.CREATE), 1, None),
        (container("backend", Action.DELETE), 1, None),
        (container("redis", Action.DELETE), 0, "requests that need the cache, until something else"),
    ],
)
def test_who_has_to_wait(operation: Operation, serving: int, interrupts: str | None) -> None:
    found = effect(operation, serving).interruption
    if interrupts is None:
        assert found is None
    else:
        assert found
        assert found.meets.startswith(interrupts)


def volume(component: str, action: Action) -> Operation:
    labels = [{"label": "medianest.component", "value": component}]
    urn = "urn:pulumi:s::medianest::medianest:index:Postgres$docker:index/volume:Volume::postgres-data"
    return Operation(urn, action, {"labels": labels}, {"labels": labels})


@pytest.mark.parametrize(
    ("operation", "danger"),
    [
        (volume("postgres", Action.DELETE), Danger.DATA_LOSS),
        (volume("postgres", Action.REPLACE), Danger.DATA_LOSS),
        (volume("postgres", Action.CREATE), Danger.NONE),
        (volume("postgres", Action.UPDATE), Danger.NONE),
        (volume("postgres-secrets", Action.DELETE), Danger.NONE),
        (volume("gateway", Action.REPLACE), Danger.NONE),
    ],
)
def test_only_volumes_with_data_lose_any(operation: Operation, danger: Danger) -> None:
    assert effect(operation).danger is danger


def secret(action: Action) -> Operation:
    urn = "urn:pulumi:s::medianest::medianest:index:Backend$pulumi-python:dynamic:Resource::jwt_secret"
    inputs = {"name": "jwt_secret", "generation": 1}
    return Operation(urn, action, inputs, {} if action is Action.DELETE else inputs)


@pytest.mark.parametrize(
    ("action", "names"),
    [(Action.UPDATE, ("jwt_secret",)), (Action.DELETE, ("jwt_secret",)), (Action.CREATE, ())],
)
def test_secrets_that_get_another_value_are_named(action: Action, names: tuple[str, ...]) -> None:
    assert effect(secret(action)).secrets == names


def test_a_replica_that_goes_while_another_runs_on_interrupts_nobody() -> None:
    gone = container("backend", Action.DELETE)
    assert effects([gone], {"backend": 1})[gone.urn].interruption is None
    assert effects([gone], {})[gone.urn].interruption is not None
