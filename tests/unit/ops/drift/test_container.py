from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.drift.compare import container_condition, cut_off, differences, existence, made_by_hand
from ops.drift.durations import nanoseconds
from ops.drift.model import ABSENT, OTHER, UNKNOWN, Mending
from ops.drift.properties import ROWS, shown_live
from ops.plan.model import MASKED
from tests.unit.ops.drift.recorded_stack import Documents, documents

NETWORK = "medianest-staging-data-afe715"


def told(changed: Documents) -> list[tuple[str, str, str]]:
    found = differences(changed.recorded, changed.asked(), changed.found(), None, serves=True)
    return [(finding.property, finding.recorded, finding.live) for finding in found]


@pytest.mark.parametrize("name", ["gateway", "redis", "loader"])
def test_what_was_just_deployed_has_no_drift(name: str) -> None:
    assert told(documents(name)) == []


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("HostConfig/Memory", 64 * 1024 * 1024, ("memory", "192 MB", "64 MB")),
        ("HostConfig/MemorySwap", -1, ("memorySwap", "192 MB", "unlimited")),
        ("HostConfig/NanoCpus", 500_000_000, ("cpus", "1", "0.5")),
        ("HostConfig/CpusetCpus", "0", ("cpuSet", "", "0")),
        ("HostConfig/CpuShares", 512, ("cpuShares", "0", "512")),
        ("HostConfig/PidsLimit", None, ("processes", "200", "unlimited")),
        ("HostConfig/RestartPolicy", {"Name": "no"}, ("restart", "unless-stopped", "no")),
        ("HostConfig/CapAdd", ["CAP_NET_RAW"], ("capabilities.adds", "", "NET_RAW")),
        ("HostConfig/CapDrop", None, ("capabilities.drops", "ALL", "")),
        ("HostConfig/Privileged", True, ("privileged", "no", "yes")),
        ("HostConfig/SecurityOpt", None, ("securityOpts", "no-new-privileges:true", "")),
        ("HostConfig/ReadonlyRootfs", False, ("readOnly", "yes", "no")),
        ("HostConfig/Init", None, ("init", "yes", "no")),
        ("HostConfig/Tmpfs", {}, ("tmpfs./tmp", "rw,noexec,nosuid,nodev,size=16m", "")),
        (
            "HostConfig/PortBindings",
            {"6379/tcp": [{"HostIp": "", "HostPort": "6379"}]},
            ("ports.6379/tcp", "", "0.0.0.0:6379"),
        ),
        ("Config/User", "0", ("user", "999", "0")),
        ("Config/StopTimeout", 1, ("stopTimeout", "30 s", "1 s")),
        ("Image", "sha256:other", ("image", documents("redis").image["Id"], "sha256:other")),
        ("Name", "/renamed", ("name", documents("redis").inspected["Name"][1:], "renamed")),
    ],
)
def test_one_change_is_one_finding(path: str, value: Any, expected: tuple[str, str, str]) -> None:
    assert told(documents("redis").changed(path, value)) == [expected]


@pytest.mark.parametrize(
    ("path", "value", "property_name"),
    [
        ("Config/Cmd", ["redis-server", "--requirepass", "a-secret"], "command"),
        ("Config/Entrypoint", ["sh", "-c", "a-secret"], "entrypoint"),
        ("Config/Env", [*documents("redis").inspected["Config"]["Env"], "X=a-secret"], "environment.X"),
        ("Config/Labels", documents("redis").inspected["Config"]["Labels"] | {"x": "a-secret"}, "labels.x"),
        ("Config/Healthcheck/Test", ["CMD", "true", "a-secret"], "healthcheck"),
        ("HostConfig/LogConfig", {"Type": "syslog", "Config": {"tag": "a-secret"}}, "log"),
    ],
)
def test_text_that_may_hold_a_secret_is_told_and_not_shown(path: str, value: Any, property_name: str) -> None:
    found = told(documents("redis").changed(path, value))
    assert [(name, live) for name, _, live in found] == [(property_name, OTHER)]


def test_a_mount_that_changed_and_one_that_was_added_are_told() -> None:
    redis = documents("redis")
    first, second = sorted(redis.inspected["Mounts"], key=lambda mount: str(mount["Destination"]))
    bind = {"Type": "bind", "Source": "/etc", "Destination": "/host", "RW": True}
    found = told(redis.changed("Mounts", [first, {**second, "RW": True}, bind]))
    assert [(name, live.rpartition(", ")[2]) for name, _, live in found] == [
        ("mounts./host", "writable"),
        ("mounts./run/secrets", "writable"),
    ]


@pytest.mark.parametrize(
    ("networks", "live", "mending"),
    [
        ({}, ABSENT, Mending.IN_PLACE),
        ({NETWORK: {"Aliases": ["cache"]}}, "as cache", Mending.REPLACE),
        ({NETWORK: {"Aliases": None}}, "attached", Mending.REPLACE),
    ],
)
def test_a_network_is_attached_again_and_other_aliases_replace(
    networks: dict[str, Any], live: str, mending: Mending
) -> None:
    changed = documents("redis").changed("NetworkSettings/Networks", networks)
    (found,) = differences(changed.recorded, changed.asked(), changed.found(), None, serves=True)
    assert (found.property, found.recorded, found.live) == (f"networks.{NETWORK}", "as redis", live)
    assert found.mending is mending
    assert (found.interruption is not None) is (mending is Mending.REPLACE)


def test_newer_engines_write_aliases_without_the_containers_own() -> None:
    changed = documents("redis").changed("NetworkSettings/Networks", {NETWORK: {"Aliases": ["redis"]}})
    assert told(changed) == []


def test_what_is_secret_on_record_is_masked_on_every_side() -> None:
    redis = documents("redis")
    recorded = replace(redis.recorded, inputs={**redis.recorded.inputs, "envs": ["A=a-secret"]})
    recorded = replace(recorded, secret=frozenset({"envs"}))
    asked = Documents(recorded, redis.image, redis.inspected).asked()
    (found,) = differences(recorded, asked, redis.found(), asked, serves=True)
    assert (found.declared, found.recorded, found.live) == (MASKED, MASKED, ABSENT)
    assert "a-secret" not in repr(found) + repr(recorded)


def test_the_declared_side_is_not_known_without_the_tree() -> None:
    changed = documents("redis").changed("HostConfig/Memory", 1)
    (found,) = differences(changed.recorded, changed.asked(), changed.found(), None, serves=True)
    assert found.declared == UNKNOWN


@pytest.mark.parametrize(
    ("state", "mending"),
    [
        ({"Status": "running", "Health": {"Status": "healthy"}}, None),
        ({"Status": "running", "Health": {"Status": "starting"}}, None),
        ({"Status": "running", "Health": {"Status": "unhealthy"}}, Mending.REPLACE),
        ({"Status": "exited", "Health": {"Status": "unhealthy"}}, Mending.START),
        ({"Status": "created"}, Mending.START),
        ({"Status": "paused"}, Mending.IN_PLACE),
        ({"Status": "restarting"}, Mending.REPLACE),
        ({"Status": "dead"}, Mending.REPLACE),
    ],
)
def test_the_condition_decides_how_it_is_mended(state: dict[str, Any], mending: Mending | None) -> None:
    changed = documents("gateway").changed("State", state)
    found = container_condition(changed.recorded, changed.inspected)
    assert [finding.mending for finding in found] == ([mending] if mending else [])


def test_a_loader_is_not_expected_to_run() -> None:
    loader = documents("loader")
    assert container_condition(loader.recorded, loader.inspected) == []


def test_only_what_serves_is_interrupted() -> None:
    gateway = documents("gateway").recorded
    serving = made_by_hand(gateway, "abc", True, serves=True).interruption
    assert serving is not None
    assert (serving.part, serving.seconds) == ("gateway", 90)
    assert made_by_hand(gateway, "abc", True, serves=False).interruption is None
    assert existence(gateway, "", Mending.CREATE, None).interruption is None


def test_one_that_is_cut_off_is_attached_before_it_is_taken_for_bad() -> None:
    bad = documents("redis").changed("State", {"Status": "running", "Health": {"Status": "unhealthy"}})
    state = container_condition(bad.recorded, bad.inspected)
    assert cut_off(state) == state
    off = bad.changed("NetworkSettings/Networks", {})
    network = differences(off.recorded, off.asked(), off.found(), None, serves=True)
    first, second = cut_off([*state, *network])
    assert (first.mending, first.interruption) == (Mending.IN_PLACE, None)
    assert second == network[0]


def test_every_property_has_a_row() -> None:
    for name in ("gateway", "redis", "loader"):
        assert {key.partition(".")[0] for key in documents(name).asked()} <= ROWS.keys()


def test_the_guide_tells_of_every_property() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "drift.md").read_text()
    told = set(re.findall(r"`(\w+)`", guide))
    assert ROWS.keys() <= told
    assert {mending.value for mending in Mending} == {
        *("changed in place", "started again", "made anew", "replaced", "written again"),
        *("set up again", "removed", "left alone"),
    }


def test_labels_of_our_own_are_shown() -> None:
    assert shown_live("labels.medianest.release", "abc") == "abc"
    assert shown_live("labels.note", "abc") == OTHER


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2s", 2), ("1m0s", 60), ("1h0m30s", 3630), ("500ms", 0.5), ("1.5s", 1.5), ("0s", 0)],
)
def test_durations_are_read_as_go_writes_them(text: str, seconds: float) -> None:
    assert nanoseconds(text) == seconds * 1e9
