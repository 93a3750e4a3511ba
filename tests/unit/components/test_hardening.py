from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.hardening import EXEMPTIONS, LOADER_RULES, RULES, broken_rules

HARDENED: dict[str, Any] = {
    "user": "1001",
    "read_only": True,
    "capabilities": {"drops": ["ALL"]},
    "security_opts": ["no-new-privileges:true"],
    "memory": 64,
    "memory_swap": 64,
    "cpus": "1.0",
    "log_opts": {"max-size": "10m", "max-file": "3"},
    "healthcheck": {"tests": ["CMD", "true"]},
    "wait": True,
    "init": True,
    "restart": "unless-stopped",
    "ports": [{"internal": 80, "external": 80, "ip": "127.0.0.1"}],
    "mounts": [{"type": "volume", "source": "data", "target": "/data"}],
}
LOADER: dict[str, Any] = {
    "start": False,
    "must_run": False,
    "network_mode": "none",
    "log_opts": {"max-size": "10m", "max-file": "3"},
    "mounts": [{"type": "volume", "source": "secrets", "target": "/run/secrets"}],
}

BREACHES: list[tuple[str, dict[str, Any]]] = [
    ("numeric non-root user", {"user": None}),
    ("numeric non-root user", {"user": "0"}),
    ("numeric non-root user", {"user": "root"}),
    ("read-only root file system", {"read_only": False}),
    ("all capabilities dropped", {"capabilities": None}),
    ("all capabilities dropped", {"capabilities": {"drops": ["ALL"], "adds": ["NET_ADMIN"]}}),
    ("no new privileges", {"security_opts": []}),
    ("not privileged", {"privileged": True}),
    ("memory limit without swap", {"memory": None}),
    ("memory limit without swap", {"memory_swap": 128}),
    ("processor limit", {"cpus": None}),
    ("log rotation", {"log_opts": {}}),
    ("health check that is waited for", {"healthcheck": None}),
    ("health check that is waited for", {"wait": False}),
    ("init process", {"init": False}),
    ("restart unless stopped", {"restart": "no"}),
    ("ports on a named address", {"ports": [{"internal": 80, "external": 80}]}),
    ("no namespaces of the host's", {"network_mode": "host"}),
    ("no namespaces of the host's", {"pid_mode": "host"}),
    ("no mounts of the host's", {"mounts": [{"type": "bind", "source": "/var/run/docker.sock"}]}),
    ("no mounts of the host's", {"volumes": [{"host_path": "/etc"}]}),
    ("no devices", {"devices": [{"host_path": "/dev/kmsg"}]}),
]


def test_the_documentation_has_the_same_rules() -> None:
    text = (Path(__file__).parents[3] / "docs" / "hardening.md").read_text()
    table = text.split("|---|---|\n", 1)[1].split("\n\n", 1)[0]
    documented = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table.splitlines()]
    assert documented == [(rule.name, rule.reason) for rule in RULES]


def test_a_hardened_container_is_let_through() -> None:
    assert broken_rules(HARDENED) == []


@pytest.mark.parametrize(("rule", "breach"), BREACHES)
def test_a_breach_is_found_by_its_rule_alone(rule: str, breach: dict[str, Any]) -> None:
    assert [broken.name for broken in broken_rules({**HARDENED, **breach})] == [rule]


def test_every_rule_has_a_breach() -> None:
    assert {rule.name for rule in RULES} == {name for name, _ in BREACHES}


def test_a_container_that_never_runs_needs_no_read_only_root() -> None:
    assert broken_rules(LOADER) == []


@pytest.mark.parametrize("change", [{"start": True}, {"must_run": True}, {"network_mode": "bridge"}])
def test_a_container_that_could_run_is_no_loader(change: dict[str, Any]) -> None:
    assert len(broken_rules({**LOADER, **change})) > 5


def test_a_loader_gets_no_mounts_of_the_host() -> None:
    breach = {"mounts": [{"type": "bind", "source": "/"}]}
    assert [broken.name for broken in broken_rules({**LOADER, **breach})] == ["no mounts of the host's"]


def test_the_loaders_rules_are_rules() -> None:
    assert {rule.name for rule in RULES} >= LOADER_RULES


def of(component: str, **changes: Any) -> dict[str, Any]:
    labels = [{"label": "medianest.component", "value": component}]
    return {**HARDENED, "labels": labels, **changes}


SOCKET = {"type": "bind", "source": "/run/docker.sock", "target": "/var/run/docker.sock", "read_only": True}


def test_one_component_may_have_the_engines_socket_and_nothing_beside_it() -> None:
    rule = ["no mounts of the host's"]
    assert broken_rules(of("engine-proxy", mounts=[SOCKET])) == []
    assert [broken.name for broken in broken_rules(of("guardian", mounts=[SOCKET]))] == rule
    for mounts in (
        [{**SOCKET, "target": "/host"}],
        [{**SOCKET, "read_only": False}],
        [SOCKET, {"type": "bind", "source": "/", "target": "/host", "read_only": True}],
        [SOCKET, {"type": "volume", "source": "data", "target": "/data"}],
    ):
        assert [broken.name for broken in broken_rules(of("engine-proxy", mounts=mounts))] == rule, mounts
    privileged = broken_rules(of("engine-proxy", mounts=[SOCKET], privileged=True))
    assert [broken.name for broken in privileged] == ["not privileged"]


def test_exemptions_are_of_rules_and_stand_in_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "hardening.md").read_text()
    for exemption in EXEMPTIONS:
        assert exemption.rule in {rule.name for rule in RULES}
        assert f"| `{exemption.component}` |" in text
        assert exemption.reason in text
