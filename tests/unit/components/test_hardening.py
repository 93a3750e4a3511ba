"""The rules of hardening: each is broken once on each side, and nothing else is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components.hardening.declared import document_of
from components.hardening.kinds import (
    ENGINE_PROXY,
    KINDS,
    LOADER,
    SCRATCH_DATABASE,
    SERVICE,
    VOLUME_HELPER,
    HardeningError,
    broken_by_container,
    broken_by_declaration,
    kind_of,
    refuse_to_create,
)
from components.hardening.rule import Document, Observed
from components.hardening.rules import RULES
from tests.unit.components import hardened_container as good
from tests.unit.components.hardened_container import STATUS, Seen, running

DECLARED: list[tuple[str, dict[str, Any]]] = [
    ("numeric non-root user", {"user": None}),
    ("numeric non-root user", {"user": "0"}),
    ("numeric non-root user", {"user": "0:1001"}),
    ("numeric non-root user", {"user": "root"}),
    ("read-only root file system", {"read_only": False}),
    ("all capabilities dropped", {"capabilities": None}),
    ("all capabilities dropped", {"capabilities": {"drops": ["ALL"], "adds": ["NET_ADMIN"]}}),
    ("no new privileges", {"security_opts": []}),
    ("filtered system calls", {"security_opts": ["no-new-privileges:true", "seccomp=unconfined"]}),
    ("mandatory access control", {"security_opts": ["no-new-privileges", "apparmor=unconfined"]}),
    ("mandatory access control", {"security_opts": ["no-new-privileges", "label:disable"]}),
    ("not privileged", {"privileged": True}),
    ("memory limit without swap", {"memory": None}),
    ("memory limit without swap", {"memory_swap": 128}),
    ("processor limit", {"cpus": None}),
    ("the engine's own ulimits and control group", {"ulimits": [{"name": "nofile", "hard": 9}]}),
    ("the engine's own ulimits and control group", {"cgroup_parent": "/another"}),
    ("log rotation", {"log_opts": {}}),
    ("health check that is waited for", {"healthcheck": None}),
    ("health check that is waited for", {"healthcheck": {"tests": ["NONE"]}}),
    ("health check that is waited for", {"wait": False}),
    ("init process", {"init": False}),
    ("restart unless stopped", {"restart": "no"}),
    ("ports on a named address", {"ports": [{"internal": 8080, "external": 80}]}),
    ("ports on a named address", {"ports": [{"internal": 8080, "external": 80, "ip": "0.0.0.0"}]}),
    ("ports on a named address", {"ports": [{"internal": 8080, "external": 80, "ip": "::"}]}),
    ("ports on a named address", {"publish_all_ports": True}),
    ("no privileged port inside", {"ports": [{"internal": 80, "external": 8080, "ip": "127.0.0.1"}]}),
    ("no namespaces of the host's", {"network_mode": "host"}),
    ("no namespaces of the host's", {"pid_mode": "host"}),
    ("no namespaces of the host's", {"ipc_mode": "host"}),
    ("no namespaces of the host's", {"userns_mode": "host"}),
    ("own networks", {"networks_advanced": []}),
    ("own networks", {"networks_advanced": None, "network_mode": "bridge"}),
    ("no mounts of the host's", {"mounts": [{"type": "bind", "source": "/var/run/docker.sock"}]}),
    ("no mounts of the host's", {"volumes": [{"host_path": "/etc"}]}),
    (
        "no mounts of the host's",
        {"mounts": [{"type": "volume", "volume_options": {"driver_options": {"device": "/etc"}}}]},
    ),
    ("no devices", {"devices": [{"host_path": "/dev/kmsg"}]}),
    ("no devices", {"gpus": "all"}),
]


def changed(*path: str, to: object) -> Observed:
    """The good container with one value of the engine's document changed."""

    def change(document: dict[str, Any]) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = to

    return running(change)


def host(key: str, to: object) -> Observed:
    return changed("HostConfig", key, to=to)


def status(**fields: str) -> Observed:
    return running(process=Seen({**STATUS, **fields}))


SOCKET = "9 1 0:2 / /run/docker.sock rw - tmpfs tmpfs rw"
RUNNING: list[tuple[str, Observed]] = [
    ("numeric non-root user", changed("Config", "User", to="postgres")),
    ("numeric non-root user", status(Uid="1001\t0\t0\t0")),
    ("read-only root file system", host("ReadonlyRootfs", False)),
    ("read-only root file system", running(process=Seen(mounts="1 2 0:1 / / rw - overlay overlay rw"))),
    ("all capabilities dropped", host("CapDrop", None)),
    ("all capabilities dropped", host("CapAdd", ["NET_BIND_SERVICE"])),
    ("all capabilities dropped", status(CapBnd="0000000000000400")),
    ("no new privileges", host("SecurityOpt", None)),
    ("no new privileges", status(NoNewPrivs="0")),
    ("filtered system calls", host("SecurityOpt", ["no-new-privileges", "seccomp=unconfined"])),
    ("filtered system calls", status(Seccomp="0")),
    ("mandatory access control", host("SecurityOpt", ["no-new-privileges", "label=disable"])),
    (
        "mandatory access control",
        running(lambda c: c.update(AppArmorProfile="unconfined"), engine_security=["name=apparmor"]),
    ),
    (
        "mandatory access control",
        running(lambda c: c.update(ProcessLabel=""), engine_security=["name=selinux"]),
    ),
    ("not privileged", host("Privileged", True)),
    ("memory limit without swap", host("Memory", 0)),
    ("memory limit without swap", host("MemorySwap", -1)),
    ("processor limit", host("NanoCpus", 0)),
    ("process limit", host("PidsLimit", None)),
    ("process limit", host("PidsLimit", -1)),
    ("the engine's own ulimits and control group", host("Ulimits", [{"Name": "nofile"}])),
    ("the engine's own ulimits and control group", host("CgroupParent", "/another")),
    ("log rotation", host("LogConfig", {"Type": "json-file", "Config": {}})),
    ("health check that is waited for", changed("Config", "Healthcheck", to=None)),
    ("health check that is waited for", changed("State", "Health", to=None)),
    ("init process", host("Init", None)),
    ("restart unless stopped", host("RestartPolicy", {"Name": "always"})),
    ("ports on a named address", host("PortBindings", {"8080/tcp": [{"HostIp": "", "HostPort": "80"}]})),
    ("ports on a named address", host("PublishAllPorts", True)),
    ("no privileged port inside", host("PortBindings", {"22/tcp": [{"HostIp": "127.0.0.1"}]})),
    ("no privileged port inside", running(process=Seen(ports=frozenset({22, 8080})))),
    *(
        ("no namespaces of the host's", host(mode, "host"))
        for mode in ("NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode")
    ),
    ("own networks", changed("NetworkSettings", "Networks", to={"bridge": {}, "public": {}})),
    ("no mounts of the host's", host("Binds", ["/etc:/etc"])),
    ("no mounts of the host's", host("VolumesFrom", ["another"])),
    ("no mounts of the host's", changed("Mounts", to=[{"Type": "bind", "Source": "/etc"}])),
    ("no mounts of the host's", changed("Mounts", to=[{"Type": "volume", "Propagation": "rshared"}])),
    ("no mounts of the host's", running(process=Seen(mounts=f"{Seen().mounts}\n{SOCKET}"))),
    ("no devices", host("Devices", [{"PathOnHost": "/dev/kmsg"}])),
    ("image named by its content", changed("Config", "Image", to="medianest/backend:latest")),
    ("no set-user-id files", running(set_user_id_files=["/usr/bin/su"])),
    ("no SSH server", status(Name="sshd")),
    (
        "plain commands beside the container's own",
        running(commands=[{"ProcessConfig": {"privileged": True, "user": "1001"}}]),
    ),
    (
        "plain commands beside the container's own",
        running(commands=[{"ProcessConfig": {"privileged": False, "user": "root"}}]),
    ),
]


def test_a_hardened_container_is_let_through() -> None:
    assert broken_by_declaration(SERVICE, document_of(good.DECLARED)) == []
    assert broken_by_container(SERVICE, running()) == []


@pytest.mark.parametrize(("rule", "breach"), DECLARED)
def test_a_declared_breach_is_found_by_its_rule_alone(rule: str, breach: dict[str, Any]) -> None:
    document = document_of({**good.DECLARED, **breach})
    assert [broken.name for broken in broken_by_declaration(SERVICE, document)] == [rule]


@pytest.mark.parametrize(("rule", "container"), RUNNING)
def test_a_breach_that_runs_is_found_by_its_rule_alone(rule: str, container: Observed) -> None:
    assert [broken.name for broken in broken_by_container(SERVICE, container)] == [rule]


def test_every_rule_is_broken_on_each_side_that_it_has() -> None:
    assert {name for name, _ in RUNNING} == {rule.name for rule in RULES}
    assert {name for name, _ in DECLARED} == {rule.name for rule in RULES if not rule.undeclared}


def test_a_container_that_never_runs_needs_no_read_only_root() -> None:
    document = document_of(good.LOADER)
    assert kind_of(document) is LOADER
    assert broken_by_declaration(LOADER, document) == []


@pytest.mark.parametrize("change", [{"start": True}, {"must_run": True}, {"network_mode": "bridge"}])
def test_a_container_that_could_run_is_no_loader(change: dict[str, Any]) -> None:
    assert kind_of(document_of({**good.LOADER, **change})) is SERVICE


@pytest.mark.parametrize(
    ("breach", "rule"),
    [
        ({"mounts": [{"type": "bind", "source": "/"}]}, "no mounts of the host's"),
        ({"privileged": True}, "not privileged"),
        ({"devices": [{"host_path": "/dev/kmsg"}]}, "no devices"),
        ({"log_opts": {}}, "log rotation"),
    ],
)
def test_a_loader_keeps_the_rest(breach: dict[str, Any], rule: str) -> None:
    broken = broken_by_declaration(LOADER, document_of({**good.LOADER, **breach}))
    assert [found.name for found in broken] == [rule]


def test_exceptions_are_of_rules_that_there_are_and_have_reasons() -> None:
    names = {rule.name for rule in RULES}
    for kind in KINDS:
        assert set(kind.exceptions) <= names, kind.name
        assert all(kind.exceptions.values()), kind.name
    assert SERVICE.exceptions == {}


def create(**host: object) -> dict[str, Any]:
    """What the engine is asked to create for a helper on one volume."""
    config = {**good.INSPECTED["Config"], "User": "0:0", "Healthcheck": None}
    none: dict[str, Any] = {
        "NetworkMode": "none",
        "PortBindings": {},
        "RestartPolicy": None,
        "CapAdd": ["FOWNER"],
    }
    return {**config, "HostConfig": {**good.INSPECTED["HostConfig"], **none, **host}}


def test_a_helper_keeps_the_rules_but_its_exceptions() -> None:
    refuse_to_create(VOLUME_HELPER, "helper", create())


@pytest.mark.parametrize(
    ("breach", "rule"),
    [
        ({"Binds": ["/:/host"]}, "no mounts of the host's"),
        ({"Privileged": True}, "not privileged"),
        ({"PidsLimit": None}, "process limit"),
        ({"NetworkMode": "default"}, "own networks"),
        ({"LogConfig": {"Type": "json-file", "Config": {}}}, "log rotation"),
    ],
)
def test_a_helper_that_breaks_a_rule_is_not_created(breach: dict[str, Any], rule: str) -> None:
    with pytest.raises(HardeningError, match=f"container helper breaks: {rule} "):
        refuse_to_create(VOLUME_HELPER, "helper", create(**breach))


def test_what_one_kind_may_the_other_may_not() -> None:
    with pytest.raises(HardeningError, match=r"numeric non-root user .*; all capabilities dropped"):
        refuse_to_create(SCRATCH_DATABASE, "scratch", create())


HELPERS = [kind.component for kind in KINDS if kind.component and kind is not ENGINE_PROXY]


@pytest.mark.parametrize("component", HELPERS)
def test_a_helper_is_known_by_its_label(component: str) -> None:
    label: Callable[[dict[str, Any]], object] = lambda c: c["Config"]["Labels"].update(  # noqa: E731
        {"medianest.component": component}
    )
    assert kind_of(running(label).inspected).component == component


BIND = {"type": "bind", "source": "/run/docker.sock", "target": "/var/run/docker.sock", "read_only": True}


def labelled(component: str, **changes: Any) -> Document:
    labels = [{"label": "medianest.component", "value": component}]
    return document_of({**good.DECLARED, "labels": labels, **changes})


def test_one_component_may_have_the_engines_socket_and_nothing_beside_it() -> None:
    proxy = labelled("engine-proxy", mounts=[BIND])
    assert kind_of(proxy) is ENGINE_PROXY
    assert broken_by_declaration(ENGINE_PROXY, proxy) == []
    privileged = labelled("engine-proxy", mounts=[BIND], privileged=True)
    assert [rule.name for rule in broken_by_declaration(kind_of(privileged), privileged)] == [
        "not privileged"
    ]


@pytest.mark.parametrize(
    ("component", "mounts"),
    [
        ("guardian", [BIND]),
        ("engine-proxy", [{**BIND, "target": "/host"}]),
        ("engine-proxy", [{**BIND, "read_only": False}]),
        ("engine-proxy", [BIND, {"type": "bind", "source": "/", "target": "/host", "read_only": True}]),
        ("engine-proxy", [BIND, {"type": "volume", "source": "data", "target": "/data"}]),
    ],
)
def test_the_label_alone_opens_no_way_round(component: str, mounts: list[dict[str, Any]]) -> None:
    document = labelled(component, mounts=mounts)
    assert kind_of(document) is SERVICE
    assert "no mounts of the host's" in [rule.name for rule in broken_by_declaration(SERVICE, document)]
