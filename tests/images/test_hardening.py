"""What breaks a rule of hardening on a real container is found by what `verify` looks with."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from docker.types import LogConfig, Mount, Ulimit

from components.build_context import base_image
from components.hardening.kinds import SERVICE, broken_by_container
from components.hardening.rules import RULES
from tests.harness.built_images import ROOT
from tests.harness.deployed_stack import Running
from tests.harness.volume_files import LENDS_RIGHTS, packed
from tests.harness.waiting import until
from tests.images.engine import LABEL

SLEEP = ["sleep", "300"]
# A program that calls itself so, as the kernel shows it.
AS_SSHD = ["sh", "-c", "echo sshd >/proc/self/comm; while :; do sleep 1 & wait; done"]
NAMED = "medianest-tests/hardening:latest"
SET_USER_ID = "with a set-user-id file"


@dataclass
class Maker:
    """Starts containers that keep every rule but for what a test changes."""

    client: docker.DockerClient
    network: str
    images: Mapping[str, str]
    made: list[Container] = field(default_factory=list)

    def start(self, image: str = "base", command: list[str] = SLEEP, **changes: Any) -> Container:
        kept: dict[str, Any] = {
            "user": "1001",
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "mem_limit": "32m",
            "memswap_limit": "32m",
            "nano_cpus": 10**8,
            "pids_limit": 20,
            "init": True,
            "restart_policy": {"Name": "unless-stopped"},
            "log_config": LogConfig(type="json-file", config={"max-size": "1m", "max-file": "1"}),
            "healthcheck": {"test": ["CMD", "true"], "interval": 3600 * 10**9},
            "network": self.network,
            "labels": {LABEL: self.network},
        }
        if "network" not in changes and changes.get("network_mode"):
            del kept["network"]
        container = self.client.containers.create(self.images.get(image, image), command, **(kept | changes))
        self.made.append(container)
        container.start()
        container.reload()
        return container


@pytest.fixture(scope="module")
def maker(client: docker.DockerClient) -> Iterator[Maker]:
    name = f"test-hardening-{uuid.uuid4().hex[:8]}"
    network = client.networks.create(name, labels={LABEL: name})
    base = client.images.get(base_image(ROOT))
    base.tag(NAMED)
    lender = client.containers.create(base, ["true"], labels={LABEL: name})
    lender.put_archive("/usr/bin", packed({"lent": LENDS_RIGHTS}))
    lending = lender.commit()
    lender.remove(v=True)
    maker = Maker(client, name, {"base": str(base.id), SET_USER_ID: str(lending.id)})
    yield maker
    for container in maker.made:
        container.remove(force=True, v=True)
    client.images.remove(str(lending.id))
    client.images.remove(NAMED)
    network.remove()


def broken(client: docker.DockerClient, container: Container) -> list[str]:
    observed = Running("backend", container).observed(client.info()["SecurityOptions"])
    assert observed.processes
    return [rule.name for rule in broken_by_container(SERVICE, observed)]


BREACHES: list[tuple[str, dict[str, Any]]] = [
    ("numeric non-root user", {"user": "0"}),
    ("read-only root file system", {"read_only": False}),
    ("all capabilities dropped", {"cap_add": ["NET_RAW"]}),
    ("no new privileges", {"security_opt": []}),
    ("filtered system calls", {"security_opt": ["no-new-privileges", "seccomp=unconfined"]}),
    ("mandatory access control", {"security_opt": ["no-new-privileges", "label=disable"]}),
    ("memory limit without swap", {"mem_limit": None, "memswap_limit": None}),
    ("processor limit", {"nano_cpus": None}),
    ("process limit", {"pids_limit": None}),
    ("the engine's own ulimits and control group", {"ulimits": [Ulimit(name="nofile", soft=99, hard=99)]}),
    ("log rotation", {"log_config": LogConfig(type="json-file", config={})}),
    ("health check that is waited for", {"healthcheck": None}),
    ("init process", {"init": False}),
    ("restart unless stopped", {"restart_policy": {"Name": "on-failure", "MaximumRetryCount": 5}}),
    ("ports on a named address", {"ports": {"8080/tcp": ("0.0.0.0", None)}}),
    ("no privileged port inside", {"ports": {"80/tcp": ("127.0.0.1", None)}}),
    ("no namespaces of the host's", {"uts_mode": "host"}),
    ("own networks", {"network_mode": "bridge"}),
    ("no mounts of the host's", {"volumes": {"/var/run/docker.sock": {"bind": "/engine.sock"}}}),
    (
        "no mounts of the host's",
        {
            "mounts": [
                Mount(
                    "/hidden",
                    None,
                    driver_config=docker.types.DriverConfig(
                        "local", {"type": "none", "o": "bind", "device": "/etc"}
                    ),
                )
            ]
        },
    ),
    ("no devices", {"devices": ["/dev/null:/dev/another:r"]}),
    ("image named by its content", {"image": NAMED}),
    ("no set-user-id files", {"image": SET_USER_ID}),
]
# Those have tests of their own below.
ELSEWHERE = {"not privileged", "plain commands beside the container's own", "no SSH server"}


def test_one_that_keeps_the_rules_breaks_none(client: docker.DockerClient, maker: Maker) -> None:
    assert broken(client, maker.start()) == []


@pytest.mark.parametrize(("rule", "change"), BREACHES)
def test_a_breach_is_found_by_its_rule_alone(
    client: docker.DockerClient, maker: Maker, rule: str, change: dict[str, Any]
) -> None:
    assert broken(client, maker.start(**change)) == [rule]


def test_a_command_as_root_is_found(client: docker.DockerClient, maker: Maker) -> None:
    container = maker.start()
    container.exec_run(SLEEP, user="0", detach=True)
    container.reload()
    assert broken(client, container) == ["numeric non-root user", "plain commands beside the container's own"]


def test_a_privileged_container_is_found(client: docker.DockerClient, maker: Maker) -> None:
    made = client.containers.create(
        maker.images["base"], SLEEP, privileged=True, labels={LABEL: maker.network}
    )
    maker.made.append(made)
    names = [rule.name for rule in broken_by_container(SERVICE, Running("backend", made).observed(()))]
    assert "not privileged" in names


def test_an_ssh_server_is_found(client: docker.DockerClient, maker: Maker) -> None:
    container = maker.start(command=AS_SSHD)
    until(lambda: broken(client, container) == ["no SSH server"], "it is found, and breaks nothing else")


def test_every_rule_is_broken_here() -> None:
    assert {rule for rule, _ in BREACHES} | ELSEWHERE == {rule.name for rule in RULES}
