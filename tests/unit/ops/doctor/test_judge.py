"""What is said of a machine: at the borders, and where nothing is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.settings import EnvironmentsSettings
from ops.checks import Level
from ops.doctor import judge
from ops.doctor.facts import Host, Passphrase, StateDirectory
from ops.preflight.facts import EngineFacts
from ops.preflight.verdicts import MINIMUM_DISK_BYTES, MINIMUM_STATE_BYTES, Problem

GB = 1_000_000_000
HOST = Host(
    engine=EngineFacts("27.0", "1.46", 8 * GB, 50 * GB, "/var/lib/docker"),
    driver="overlay2",
    processors=4,
    cgroup_version="2",
    limits={"memory": True, "processors": True, "processes": True},
    forwarding=True,
    clock_ahead=0.1,
)
STATE = StateDirectory(Path("/state"), 0o700, writable=True, free=GB)


def test_limits_that_the_kernel_cannot_hold() -> None:
    assert judge.limits(HOST).level is Level.OK
    check = judge.limits(replace(HOST, limits={**HOST.limits, "memory": False}))
    assert (check.level, check.evidence) == (Level.CRITICAL, ["the engine cannot limit memory"])
    assert "cgroup_enable=memory" in check.next_step


@pytest.mark.parametrize(
    ("forwarding", "local", "iptables", "level"),
    [
        (True, True, True, Level.OK),
        (True, True, False, Level.WARN),
        (True, False, False, Level.OK),
        (False, True, True, Level.CRITICAL),
        (False, True, False, Level.CRITICAL),
    ],
)
def test_the_network(forwarding: bool, local: bool, iptables: bool, level: Level) -> None:
    check = judge.network(replace(HOST, forwarding=forwarding), local, iptables)
    assert check.level is level
    assert bool(check.next_step) is (level is not Level.OK)


@pytest.mark.parametrize(
    ("free", "driver", "level"),
    [
        (MINIMUM_DISK_BYTES, "overlay2", Level.OK),
        (MINIMUM_DISK_BYTES - 1, "overlay2", Level.CRITICAL),
        (MINIMUM_DISK_BYTES - 1, "vfs", Level.CRITICAL),
        (50 * GB, "vfs", Level.WARN),
        (None, "overlay2", Level.OK),
    ],
)
def test_storage(free: int | None, driver: str, level: Level) -> None:
    engine = replace(HOST.engine, free_disk=free)
    assert judge.storage(replace(HOST, engine=engine, driver=driver)).level is level


@pytest.mark.parametrize(
    ("total", "available", "level"),
    [
        (8 * GB, judge.SPARE_MEMORY, Level.OK),
        (8 * GB, judge.SPARE_MEMORY - 1, Level.WARN),
        (8 * GB, None, Level.OK),
        (GB // 4, None, Level.CRITICAL),
    ],
)
def test_memory(total: int, available: int | None, level: Level) -> None:
    assert judge.memory(replace(HOST, engine=replace(HOST.engine, memory=total)), available).level is level


@pytest.mark.parametrize(("count", "level"), [(1, Level.WARN), (2, Level.OK)])
def test_processors(count: int, level: Level) -> None:
    assert judge.processors(replace(HOST, processors=count)).level is level


def test_packages_that_are_not_as_locked() -> None:
    assert judge.packages([]).level is Level.OK
    check = judge.packages([("rich", "15.0", "14.0"), ("typer", "1.0", ""), *[("x", "1", "2")] * 5])
    assert check.level is Level.CRITICAL
    assert check.evidence[:2] == ["rich is 14.0, locked is 15.0", "typer is missing, locked is 1.0"]
    assert check.evidence[-1] == "and 2 more"


@pytest.mark.parametrize(
    ("change", "level"),
    [
        ({}, Level.OK),
        ({"mode": None, "free": None}, Level.OK),
        ({"writable": False}, Level.CRITICAL),
        ({"free": MINIMUM_STATE_BYTES}, Level.OK),
        ({"free": MINIMUM_STATE_BYTES - 1}, Level.CRITICAL),
        ({"mode": 0o755}, Level.WARN),
        ({"broken": [("the state of stack a is damaged", "./medianest state restore a")]}, Level.CRITICAL),
    ],
)
def test_the_state(change: dict[str, Any], level: Level) -> None:
    check = judge.state_directory(replace(STATE, **change))
    assert check.level is level
    assert bool(check.next_step) is (level is not Level.OK)


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (Passphrase("its file", Path("/p"), 0o600), Level.OK),
        (Passphrase("its file", Path("/p"), 0o400), Level.OK),
        (Passphrase("its file", Path("/p"), 0o640), Level.CRITICAL),
        (Passphrase("PULUMI_CONFIG_PASSPHRASE"), Level.OK),
        (Passphrase("its file", problem="it is gone", hint="Put it back."), Level.CRITICAL),
    ],
)
def test_the_passphrase(found: Passphrase, level: Level) -> None:
    assert judge.passphrase(found).level is level


@pytest.mark.parametrize(
    ("ahead", "synchronised", "level"),
    [
        (2.0, True, Level.OK),
        (-2.1, True, Level.WARN),
        (30.0, None, Level.WARN),
        (-30.1, None, Level.CRITICAL),
        (None, None, Level.OK),
        (0.0, False, Level.WARN),
        (31.0, False, Level.CRITICAL),
    ],
)
def test_the_clock(ahead: float | None, synchronised: bool | None, level: Level) -> None:
    assert judge.clock(1000.0, 900.0, ahead, synchronised).level is level


def test_a_clock_before_the_checkout_was_written() -> None:
    assert judge.clock(900.0, 900.0 + judge.CLOCK_CRITICAL, 0.0, None).level is Level.OK
    assert judge.clock(900.0, 901.0 + judge.CLOCK_CRITICAL, 0.0, None).level is Level.CRITICAL


@pytest.mark.parametrize(
    ("ephemeral", "level"),
    [
        (None, Level.OK),
        ((32768, 60999), Level.OK),
        ((5000, 60999), Level.OK),
        ((4999, 60999), Level.WARN),
        ((1024, 4000), Level.WARN),
        ((1024, 3999), Level.OK),
    ],
)
def test_ports_of_environments_and_of_connections(ephemeral: tuple[int, int] | None, level: Level) -> None:
    assert judge.ports([], [3000], EnvironmentsSettings(), ephemeral).level is level


def test_a_port_that_is_taken() -> None:
    check = judge.ports([Problem("port 3000 is taken", "Stop it.")], [3000], EnvironmentsSettings(), None)
    assert (check.level, check.evidence, check.next_step) == (
        Level.CRITICAL,
        ["port 3000 is taken"],
        "Stop it.",
    )


def test_without_an_engine_nothing_is_claimed() -> None:
    check = judge.unknown("storage")
    assert (check.level, check.holds, check.next_step) == (Level.UNKNOWN, False, "./medianest setup")
