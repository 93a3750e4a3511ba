"""Since when nobody has asked: out of the gateway's log. And what may be done under a name at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from ops.env import sleep
from ops.env.environment import Environment, is_long_lived
from ops.env.lease import lease_of
from ops.state import StackState
from tests.unit.ops.env.test_lease import OWN

PROBES = {"/ready"}


def line(second: int, path: str) -> str:
    request = {"path": path, "status": 200, "total_ms": 3}
    return f"2026-11-24T15:00:{second:02}.123456789Z {json.dumps(request)}"


@pytest.mark.parametrize(
    ("lines", "second"),
    [
        ([line(1, "/a"), line(2, "/b"), line(3, "/ready")], 2),
        ([line(1, "/a"), "2026-11-24T15:00:09Z [NOTICE] reloaded", ""], 1),
        ([line(1, "/ready")], None),
        ([], None),
    ],
)
def test_the_newest_request_that_is_no_probe(lines: list[str], second: int | None) -> None:
    expected = datetime(2026, 11, 24, 15, 0, second, 123456, UTC) if second else None
    assert sleep.last_request(lines, PROBES) == expected


class Engine:
    """Has one gateway, started at 15:00:05 of its time, with this log."""

    def __init__(self, *lines: str) -> None:
        self._log = "\n".join(lines).encode()

    def logs(self, *_: Any, **__: Any) -> bytes:
        return self._log

    def inspect_container(self, _: str) -> dict[str, Any]:
        return {"State": {"StartedAt": "2026-11-24T15:00:05Z"}}


@pytest.mark.parametrize(
    ("lines", "second"), [([line(9, "/a")], 9), ([line(1, "/a")], 5), ([line(9, "/ready")], 5), ([], 5)]
)
def test_what_was_woken_since_the_last_request_is_not_idle_for_longer(lines: list[str], second: int) -> None:
    api, gateways = cast(Any, Engine(*lines)), [{"Id": "g", "State": "running"}]
    found = sleep.idle_since(api, gateways, PROBES)
    assert found is not None
    assert found.replace(microsecond=0) == datetime(2026, 11, 24, 15, 0, second, tzinfo=UTC)
    assert sleep.idle_since(api, [{"Id": "g", "State": "exited"}], PROBES) is None


@pytest.mark.parametrize(
    ("states", "stopped"),
    [
        (("exited", "exited", "exited", "exited"), True),
        (("exited", "exited", "exited", "running"), False),
        (("running", "running", "running", "running"), False),
    ],
)
def test_it_sleeps_when_all_of_it_is_stopped(states: tuple[str, ...], stopped: bool) -> None:
    parts = {
        name: [cast(dict[str, Any], {"State": state})]
        for name, state in zip(sleep.COMPONENTS, states, strict=True)
    }
    assert sleep.is_stopped(cast(Any, parts)) is stopped
    assert sleep.is_stopped(cast(Any, {**parts, "redis": []})) is False


def test_a_stack_with_volumes_and_no_lease_is_long_lived() -> None:
    urn = "urn:pulumi:pr-17::medianest::docker:index/volume:Volume"
    data = {"type": "docker:index/volume:Volume", "urn": f"{urn}::postgres-data", "inputs": {}}
    labels = [{"label": label, "value": value} for label, value in OWN.items()]
    lease = {"type": data["type"], "urn": f"{urn}::lease", "inputs": {"labels": labels}}
    begun = {"type": "pulumi-python:dynamic:Resource", "urn": "urn::owner", "outputs": {}}

    def environment(*resources: dict[str, Any]) -> Environment:
        return Environment("pr-17", StackState(resources), (), (), "home")

    assert is_long_lived(environment(begun, data)) is True
    assert is_long_lived(environment(begun, lease, data)) is False
    assert is_long_lived(environment(begun)) is False
    assert is_long_lived(Environment("pr-17", None, [lease_of(OWN)], (), "home")) is False
