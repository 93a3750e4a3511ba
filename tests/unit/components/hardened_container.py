"""A container that keeps every rule, declared and running, for tests that break one of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.hardening.rule import Observed

DECLARED: dict[str, Any] = {
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
    "ports": [{"internal": 8080, "external": 80, "ip": "127.0.0.1"}],
    "mounts": [{"type": "volume", "source": "data", "target": "/data"}],
    "networks_advanced": [{"name": "public"}],
}
LOADER: dict[str, Any] = {
    "start": False,
    "must_run": False,
    "network_mode": "none",
    "log_opts": {"max-size": "10m", "max-file": "3"},
    "mounts": [{"type": "volume", "source": "secrets", "target": "/run/secrets"}],
}
INSPECTED: dict[str, Any] = {
    "AppArmorProfile": "docker-default",
    "ProcessLabel": "system_u:system_r:container_t",
    "Config": {
        "User": "1001",
        "Image": f"sha256:{'0' * 64}",
        "Healthcheck": {"Test": ["CMD", "true"]},
        "Labels": {"medianest.component": "backend"},
    },
    "HostConfig": {
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "CapAdd": None,
        "SecurityOpt": ["no-new-privileges:true"],
        "Privileged": False,
        "Memory": 2**26,
        "MemorySwap": 2**26,
        "NanoCpus": 10**9,
        "PidsLimit": 100,
        "Ulimits": None,
        "CgroupParent": "",
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        "Init": True,
        "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        "PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "80"}]},
        "PublishAllPorts": False,
        "NetworkMode": "default",
        "PidMode": "",
        "IpcMode": "private",
        "UTSMode": "",
        "UsernsMode": "",
        "Binds": None,
        "VolumesFrom": None,
        "Mounts": [{"Type": "volume", "Source": "data", "Target": "/data"}],
        "Devices": [],
        "DeviceRequests": None,
    },
    "Mounts": [{"Type": "volume", "Name": "data", "Destination": "/data", "Propagation": ""}],
    "NetworkSettings": {"Networks": {"public": {}}},
    "State": {"Status": "running", "Health": {"Status": "healthy"}},
}
STATUS: Mapping[str, str] = {
    "Name": "python",
    "Uid": "1001\t1001\t1001\t1001",
    "NoNewPrivs": "1",
    "Seccomp": "2",
    **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), "0000000000000000"),
}


@dataclass(frozen=True)
class Seen:
    """A process as the kernel shows it."""

    status: Mapping[str, str] = field(default_factory=lambda: STATUS)
    mounts: str = "1 2 0:1 / / ro,relatime - overlay overlay rw\n3 1 8:1 /v /data rw - ext4 /dev/sda rw"
    ports: frozenset[int] = frozenset({8080})

    def listening_ports(self) -> set[int]:
        return set(self.ports)


def running(
    change: Callable[[dict[str, Any]], object] = lambda _: None, process: Seen | None = None, **parts: Any
) -> Observed:
    """The container as it runs, with its document changed, another process, or other parts."""
    document = copy.deepcopy(INSPECTED)
    change(document)
    return Observed(document, (process or Seen(),), **parts)
