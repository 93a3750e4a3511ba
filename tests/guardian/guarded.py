"""A stack of cheap containers with a real proxy and a real guardian, on the real engine."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import requests
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import EndpointConfig, Mount

from components import labels
from components.build_context import base_image
from components.guardian import MEMORY, PROXY_PORT, USER
from components.hardening.kinds import SOCKET
from components.monitoring.scraping import GUARDIAN_PORT
from components.settings import GUARDIAN_TOKEN
from tests.harness.at_fault import healthy, journal, read_file
from tests.harness.volume_files import File
from tests.harness.waiting import until
from tests.images.engine import Engine

ROOT = Path(__file__).parents[2]
SECOND = 1_000_000_000
TOKEN = "t0KeNoFtHeGuArDiAn-" + uuid.uuid4().hex
# Says that it lives by a file, so that one that is stopped by a signal is seen to hang.
LIVES = "trap 'exit 0' TERM; while :; do touch /tmp/alive; sleep 0.1 & wait; done"
ALIVE = 'age=$(($(date +%s) - $(stat -c %Y /tmp/alive))); [ "$age" -lt 2 ]'
CRASHES = "echo about to crash; exit 3"
# As long as a test can wait, with waits in the proportion of the defaults.
SETTINGS: Mapping[str, Any] = {
    "backoff_first_seconds": 1,
    "backoff_longest_seconds": 10,
    "budget_actions": 5,
    "budget_seconds": 60,
    "settle_seconds": 8,
    "start_seconds": 20,
    "look_seconds": 1,
    "prometheus": "",
    "alertmanager": "",
}


@dataclass
class Guarded:
    """The stack under test. What it makes is found by a label, and removed."""

    client: docker.DockerClient
    engine: Engine
    image: str
    stack: str = field(default_factory=lambda: f"test-guarded-{uuid.uuid4().hex[:6]}")
    owner: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    def __post_init__(self) -> None:
        self.inner: Network = self.engine.network()
        self.public: Network = self.engine.network()
        self.memory = self.engine.volume()
        self.secrets = self.engine.files(self.image, {GUARDIAN_TOKEN: File(TOKEN, 998, 0o400)})

    def labels(self, component: str, owner: str = "") -> dict[str, str]:
        return {
            **self.engine.labels,
            labels.PROJECT: "medianest-tests",
            labels.STACK: self.stack,
            labels.OWNER: owner or self.owner,
            labels.COMPONENT: component,
        }

    def start(self, component: str, script: str = LIVES, *, owner: str = "", release: str = "") -> Container:
        """A container of the stack, or of another owner's, that does no more than live."""
        found = self.labels(component, owner) | ({labels.RELEASE: release} if release else {})
        return self.client.containers.run(
            base_image(ROOT),
            ["bash", "-c", script],
            name=f"{self.stack}-{component}-{uuid.uuid4().hex[:4]}",
            labels=found,
            environment={"SECRET": "never-to-be-seen"},
            healthcheck={
                "test": ["CMD", "bash", "-c", ALIVE],
                "interval": SECOND,
                "timeout": SECOND,
                "retries": 2,
                "start_period": 5 * SECOND,
            },
            network=self.public.name,
            tmpfs={"/tmp": "size=1m,mode=1777"},
            restart_policy={"Name": "always", "MaximumRetryCount": 0},
            mem_limit="32m",
            detach=True,
            init=True,
            stop_signal="SIGTERM",
        )

    def start_proxy(self) -> Container:
        return self._hardened(
            "engine-proxy",
            ["engine-proxy"],
            {"STACK": self.stack, "OWNER": self.owner, "ENGINE_SOCKET": SOCKET},
            [Mount(SOCKET, SOCKET, type="bind", read_only=True)],
            probe=["http-probe", str(PROXY_PORT), "/_ping"],
            groups=[str(os.stat(SOCKET).st_gid)],
        )

    def start_guardian(self, **changes: Any) -> Container:
        told = {**SETTINGS, "stack": self.stack, "owner": self.owner, "network": self.public.name, **changes}
        made = self._hardened(
            "guardian",
            ["guard"],
            {"GUARDIAN_SETTINGS": json.dumps(told)},
            [
                Mount(MEMORY, self.memory.name, type="volume"),
                Mount("/run/secrets", self.secrets.name, type="volume", read_only=True),
            ],
            probe=["http-probe", str(GUARDIAN_PORT), "/health/ready"],
        )
        self.public.connect(made)
        return made

    def _hardened(
        self,
        component: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        mounts: list[Mount],
        *,
        probe: Sequence[str],
        groups: list[str] | None = None,
    ) -> Container:
        """As a stack's."""
        attachments: dict[str, EndpointConfig] = {
            str(self.inner.name): EndpointConfig("1.41", aliases=[component])
        }
        return self.client.containers.run(
            self.image,
            list(command),
            name=f"{self.stack}-{component}",
            labels=self.labels(component),
            user=USER,
            group_add=groups,
            environment=dict(environment),
            mounts=mounts,
            networking_config=attachments,
            network=self.inner.name,
            healthcheck={"test": ["CMD", *probe], "interval": SECOND, "timeout": 2 * SECOND, "retries": 30},
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=16m"},
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            restart_policy={"Name": "always", "MaximumRetryCount": 0},
            mem_limit="96m",
            memswap_limit="96m",
            pids_limit=50,
            detach=True,
            init=True,
        )

    def address(self, container: Container, network: Network | None = None) -> str:
        """Where a container is reached from the host."""
        container.reload()
        found = container.attrs["NetworkSettings"]["Networks"][(network or self.inner).name]
        return str(found["IPAddress"])

    @property
    def guardian(self) -> Container:
        return self.client.containers.get(f"{self.stack}-guardian")

    @property
    def url(self) -> str:
        return f"http://{self.address(self.guardian)}:{GUARDIAN_PORT}"

    def journal(self, **wanted: str | None) -> list[dict[str, Any]]:
        """The entries that have these values."""
        return journal(self.guardian, **wanted)

    def read(self, name: str) -> str:
        """A file of the guardian's own."""
        return read_file(self.guardian, f"{MEMORY}/{name}")

    def alert(self, name: str, action: str, *, status: str = "firing", **named: str) -> requests.Response:
        """Tell the guardian of an alert, as Alertmanager does."""
        begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        told = {
            "version": "4",
            "alerts": [
                {
                    "status": status,
                    "labels": {"alertname": name, "action": action, "severity": "warning", **named},
                    "annotations": {"summary": f"{name} is too high"},
                    "startsAt": begun,
                    "endsAt": begun,
                    "fingerprint": f"of-{name}",
                }
            ],
        }
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return requests.post(f"{self.url}/alerts", json=told, headers=headers, timeout=5)


@contextmanager
def guarded(client: docker.DockerClient, image: str, **changes: Any) -> Iterator[Guarded]:
    """A proxy and a guardian that has seen the stack."""
    engine = Engine(client)
    try:
        made = Guarded(client, engine, image)
        made.start_proxy()
        made.start_guardian(**changes)
        until(lambda: healthy(made.guardian), "the guardian is ready")
        yield made
    finally:
        engine.clean_up()
