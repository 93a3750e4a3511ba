"""The preflight's judgements, and what they are made from."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from components import labels
from components.settings import (
    BackendSettings,
    DashboardSettings,
    GuardianSettings,
    LimitSettings,
    MonitoringSettings,
    StackSettings,
    VolumeSettings,
)
from ops.engine import Resource
from ops.errors import ExitCode, OperationError
from ops.lock import Holder, Lock
from ops.preflight.check import published_ports, refuse
from ops.preflight.facts import EngineFacts, PortFacts, can_bind, free_bytes, is_local
from ops.preflight.ports import (
    PortHolder,
    decode_address,
    find_listener,
    listening_inodes,
    overlaps,
    publishing_container,
)
from ops.preflight.verdicts import (
    MINIMUM_DISK_BYTES,
    MINIMUM_STATE_BYTES,
    Problem,
    judge_data,
    judge_disk,
    judge_engine,
    judge_lock,
    judge_memory,
    judge_owner,
    judge_port,
    judge_state_disk,
    removal_command,
)
from ops.state import read_checkpoint


def engine(api: str = "1.41", memory: int = 8_000_000_000, disk: int | None = 50_000_000_000) -> EngineFacts:
    return EngineFacts("20.10.24", api, memory, disk, "/var/lib/docker")


@pytest.mark.parametrize(("api", "good"), [("1.40", False), ("1.41", True), ("1.50", True), ("2.0", True)])
def test_the_engines_api_must_be_new_enough(api: str, good: bool) -> None:
    problems = judge_engine(engine(api))
    assert (not problems) == good
    assert all(api in problem.message and "1.41" in problem.message for problem in problems)


@pytest.mark.parametrize(
    ("free", "good"), [(None, True), (MINIMUM_STATE_BYTES, True), (MINIMUM_STATE_BYTES - 1, False)]
)
def test_the_state_must_have_room(free: int | None, good: bool) -> None:
    problems = judge_state_disk(Path("/state"), free)
    assert (not problems) == good
    assert all("/state" in problem.message for problem in problems)


@pytest.mark.parametrize(
    ("free", "good"), [(None, True), (MINIMUM_DISK_BYTES, True), (MINIMUM_DISK_BYTES - 1, False), (0, False)]
)
def test_the_disk_must_have_room_where_it_can_be_seen(free: int | None, good: bool) -> None:
    assert (not judge_disk(engine(disk=free))) == good


def test_a_limit_beyond_the_machines_memory_is_named() -> None:
    settings = StackSettings(backend=BackendSettings(limits=LimitSettings(memory_mb=9000)))
    (problem,) = judge_memory(engine(memory=8_000_000_000), settings)
    assert "backend.limits.memory_mb is 9000" in problem.message
    assert judge_memory(engine(memory=16_000_000_000), settings) == []


OWN = {labels.PROJECT: "p", labels.STACK: "s", labels.OWNER: "me"}


@pytest.mark.parametrize(
    ("holder", "good"),
    [
        (None, True),
        (OWN, True),
        # Somebody else's stack of that name: the owner's verdict refuses it.
        ({**OWN, labels.OWNER: "you"}, True),
        ({**OWN, labels.STACK: "other"}, False),
        ({}, False),
    ],
)
def test_the_port_is_free_or_this_stacks_own(holder: Mapping[str, str] | None, good: bool) -> None:
    facts = PortFacts("127.0.0.1", 3000, None if holder is None else PortHolder("container x", holder))
    problems = judge_port(facts, "p", "s")
    assert (not problems) == good
    assert all("port 3000 of 127.0.0.1 is taken by container x" in problem.message for problem in problems)


def test_the_dashboards_port_is_looked_at_where_there_is_one() -> None:
    dashboard = DashboardSettings(port=3101)
    guardian = GuardianSettings(dashboard=dashboard)
    assert [item.port for item in published_ports(StackSettings()).values()] == [3000]
    assert [item.port for item in published_ports(StackSettings(guardian=guardian)).values()] == [3000, 3101]
    unwatched = StackSettings(guardian=guardian, monitoring=MonitoringSettings(enabled=False))
    assert [item.port for item in published_ports(unwatched).values()] == [3000]
    taken = PortFacts("127.0.0.1", 3101, PortHolder("container x", {}))
    (problem,) = judge_port(taken, "p", "s", "medianest:guardian: {dashboard: {port: …}}")
    assert problem.hint.endswith("medianest:guardian: {dashboard: {port: …}}")


LOCK = Lock(pid=42, user="ada", host="blue", since="2026-11-23T22:10:00.123Z")


def test_a_living_run_is_named_and_waited_for() -> None:
    (problem,) = judge_lock(LOCK, Holder.RUNNING, "s")
    assert problem.message == (
        "stack s is being changed by another run: ada, process 42, since 2026-11-23 22:10:00"
    )


def test_a_run_on_another_host_is_named_with_the_command_that_clears_its_lock() -> None:
    (problem,) = judge_lock(LOCK, Holder.ELSEWHERE, "s")
    assert "on host blue" in problem.message
    assert "pulumi cancel --yes --stack s" in problem.hint


def test_the_lock_of_a_dead_run_is_no_problem() -> None:
    assert judge_lock(LOCK, Holder.DEAD, "s") == []


def resource(kind: str, owner: str | None) -> Resource:
    own = {labels.OWNER: owner} if owner else {}
    return Resource(kind, f"id-{kind}", f"s-{kind}", {labels.STACK: "s", **own})


def test_what_this_state_made_is_its_own() -> None:
    assert judge_owner([resource("container", "me"), resource("volume", "me")], "me", "s") == []
    assert judge_owner([], None, "s") == []


def test_a_stack_of_another_state_is_refused_and_named() -> None:
    (problem,) = judge_owner([resource("container", "you"), resource("volume", "me")], "me", "s")
    assert "made by another state: container s-container" in problem.message
    assert "volume" not in problem.message
    assert "Nothing was touched" in problem.hint


def test_data_without_a_state_is_refused_with_the_way_out() -> None:
    (problem,) = judge_owner([resource("container", "me"), resource("volume", "me")], None, "s")
    assert (
        "the state does not know stack s, but the engine holds its data: volume s-volume, container"
        in problem.message
    )
    assert "backup" in problem.hint
    assert problem.hint.endswith(
        "docker rm -f $(docker ps -aq --filter label=medianest.owner=me) && "
        "docker volume rm $(docker volume ls -q --filter label=medianest.owner=me)"
    )


def test_the_removal_command_names_each_owner_and_takes_containers_first() -> None:
    found = [resource("volume", "b"), resource("network", "a"), resource("container", "a")]
    assert removal_command(found).split(" && ") == [
        "docker rm -f $(docker ps -aq --filter label=medianest.owner=a)",
        "docker network rm $(docker network ls -q --filter label=medianest.owner=a)",
        "docker volume rm $(docker volume ls -q --filter label=medianest.owner=b)",
    ]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(OperationError) as caught:
        refuse([Problem("one", "do this"), Problem("two", "do that")], "stack s cannot be deployed now")
    assert caught.value.code is ExitCode.REFUSED
    assert caught.value.details == {"problems": ["one", "two"]}
    assert [word for word in ("one", "do this", "two", "do that") if word not in caught.value.message] == []


def test_no_problem_is_no_refusal() -> None:
    refuse([], "stack s cannot be deployed now")


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("::", "127.0.0.1", False),
        ("::", "::1", True),
        ("::1", "127.0.0.1", False),
    ],
)
def test_addresses_meet_when_equal_or_when_one_means_all(one: str, other: str, meet: bool) -> None:
    assert overlaps(one, other) is meet


CONTAINERS: list[dict[str, Any]] = [
    {"Names": ["/quiet"], "Labels": None, "Ports": [{"PrivatePort": 80}]},
    {
        "Names": ["/web"],
        "Labels": {"a": "b"},
        "Ports": [{"IP": "127.0.0.1", "PublicPort": 3000, "PrivatePort": 80}],
    },
    {"Names": ["/all"], "Labels": {}, "Ports": [{"IP": "0.0.0.0", "PublicPort": 4000, "PrivatePort": 80}]},
]


@pytest.mark.parametrize(
    ("address", "port", "name"),
    [
        ("127.0.0.1", 3000, "container web"),
        ("127.0.0.2", 3000, None),
        ("0.0.0.0", 3000, "container web"),
        ("127.0.0.2", 4000, "container all"),
        ("127.0.0.1", 80, None),
    ],
)
def test_the_container_that_publishes_a_port_is_found(address: str, port: int, name: str | None) -> None:
    holder = publishing_container(CONTAINERS, address, port)
    assert (holder.description if holder else None) == name


TABLE = [
    "   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1",
    "   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1",
    "   2: 0100007F:0BB8 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 4713 1",
    f"   3: {'0' * 32}:0BB9 {'0' * 32}:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4714 1",
]


@pytest.mark.parametrize(
    ("address", "port", "inodes"),
    [
        ("127.0.0.1", 3000, ["4711"]),
        ("127.0.0.2", 3000, []),
        ("127.0.0.2", 8080, ["4712"]),
        ("127.0.0.1", 3001, ["4714"]),
        ("127.0.0.1", 9, []),
    ],
)
def test_listening_sockets_are_read_from_the_kernels_table(
    address: str, port: int, inodes: list[str]
) -> None:
    assert listening_inodes(TABLE, address, port) == inodes


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0100007F", "127.0.0.1"),
        ("00000000000000000000000001000000", "::1"),
        ("0000000000000000FFFF00000100007F", "127.0.0.1"),
    ],
)
def test_the_kernels_addresses_are_decoded(text: str, address: str) -> None:
    assert decode_address(text) == address


def test_a_listening_process_is_found_by_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not can_bind("127.0.0.1", port)
        holder = find_listener("127.0.0.1", port)
        assert holder is not None
        assert f"process {os.getpid()}" in holder.description
    assert can_bind("127.0.0.1", port)


def test_an_outgoing_connection_is_no_listener() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert find_listener("127.0.0.1", client.getsockname()[1]) is None


def test_free_room_is_told_also_for_a_directory_that_is_not_there_yet(tmp_path: Path) -> None:
    free = free_bytes(tmp_path / "not" / "yet")
    assert free is not None
    assert free > 0


@pytest.mark.parametrize(
    ("environment", "local"),
    [
        ({}, True),
        ({"DOCKER_HOST": "unix:///run/docker.sock"}, True),
        ({"DOCKER_HOST": "tcp://192.0.2.1:2376"}, False),
        ({"DOCKER_HOST": "ssh://host"}, False),
    ],
)
def test_an_engine_is_local_when_it_is_reached_through_a_file(
    environment: dict[str, str], local: bool
) -> None:
    assert is_local(environment) is local


def volume_in_state(name: str, *, protect: bool = True) -> dict[str, Any]:
    urn = f"urn:pulumi:s::p::component$docker:index/volume:Volume::{name}"
    return {"type": "docker:index/volume:Volume", "urn": urn, "id": f"p-s-{name}-0a", "protect": protect}


NOTES = StackSettings(backend=BackendSettings(volumes=[VolumeSettings(name="notes", path="/notes")]))


@pytest.mark.parametrize(
    ("protect", "on_engine", "settings", "words"),
    [
        (True, True, NOTES, []),
        (True, True, StackSettings(), ["no longer have volume notes"]),
        (True, False, NOTES, ["volume backend-notes, which holds data of stack s, is not on this engine"]),
        (False, True, StackSettings(), []),
        (False, False, NOTES, []),
    ],
)
def test_no_update_deletes_or_forgets_a_protected_volume(
    protect: bool, on_engine: bool, settings: StackSettings, words: list[str]
) -> None:
    state = read_checkpoint({"resources": [volume_in_state("backend-notes", protect=protect)]})
    found = [Resource("volume", "p-s-backend-notes-0a", "p-s-backend-notes-0a", {})] if on_engine else []
    problems = judge_data(state, found, settings, "s")
    assert [word in problem.message for word, problem in zip(words, problems, strict=True)] == [True] * len(
        words
    )


def test_a_stack_without_a_state_has_no_data_to_judge() -> None:
    assert judge_data(None, [], NOTES, "s") == []
