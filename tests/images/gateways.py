"""Gateways and stub backends for tests. A stub is the gateway's own image with another configuration."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from docker.models.containers import Container
from docker.models.networks import Network
from docker.models.volumes import Volume

from components.gateway_configuration import INTERNAL_PORT, PUBLIC_PORT, gateway_configuration
from components.settings import BackendSettings, GatewaySettings
from tests.harness.inside import get
from tests.harness.volume_files import File
from tests.harness.waiting import until
from tests.images.engine import Engine, logs, published_port, wait_healthy

SETTINGS = GatewaySettings(
    internal_paths=["/metrics", "/api/internal.v1"],
    body_limit_mb=1,
    connect_timeout_seconds=0.5,
    request_timeout_seconds=1.0,
)
BACKEND = BackendSettings(replicas=2)
TMPFS = {"/run/haproxy": "rw,noexec,nosuid,nodev,size=1m,uid=99,gid=99,mode=0750"}

# Every request is logged, so that it can be counted.
STUB = """
global
    log stdout format raw local0 info
    nbthread 1
defaults
    mode http
    log global
    timeout client 30s
    timeout server 30s
    timeout connect 2s
    timeout tarpit 1s
frontend health
    bind :{health_port}
    no log
    monitor-uri /health
frontend stub
    bind :3000
    log-format "%HM %HP"
    http-request return status {ready} if {{ path /api/health/ready }}
    {everything_else}
"""
SERVING = """
    http-request tarpit deny_status 200 if { path /slow }
    http-request return status 200 content-type text/plain lf-string "%[hostname]\\n%[req.hdrs]"
"""
# Takes the request for /die and closes without an answer.
FRAGILE = "http-request reject if { path /die }" + SERVING
WARMING_UP = "http-request return status 503"


def start_stub(
    engine: Engine,
    image: str,
    network: Network,
    *,
    ready: int = 200,
    everything_else: str = SERVING,
    listens_after: float = 0.0,
) -> Container:
    text = STUB.format(health_port=INTERNAL_PORT, ready=ready, everything_else=everything_else)
    configuration = engine.files(image, {"stub.cfg": File(text)})
    return engine.start(
        image,
        ["sh", "-c", f"sleep {listens_after}; exec haproxy -W -db -f /stub/stub.cfg"],
        volumes={"/stub:ro": configuration.name},
        network=network,
        alias="backend",
    )


@dataclass(frozen=True)
class Answer:
    """A response. `text` of a stub is its name and the request's header, a line each."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def server(self) -> str:
        return self.text.split("\n")[0]

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class RunningGateway:
    """A gateway that has its backends' network and a configuration that can be changed."""

    engine: Engine
    image: str
    network: Network
    configuration: Volume
    container: Container

    @property
    def port(self) -> int:
        return published_port(self.container, PUBLIC_PORT)

    def configure(self, text: str) -> None:
        self.engine.write(self.image, self.configuration, {"haproxy.cfg": File(text)})

    def stub(
        self, *, ready: int = 200, everything_else: str = SERVING, listens_after: float = 0.0
    ) -> Container:
        return start_stub(
            self.engine,
            self.image,
            self.network,
            ready=ready,
            everything_else=everything_else,
            listens_after=listens_after,
        )

    def request(
        self,
        path: str = "/",
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Answer:
        """One request on a connection of its own; the path is sent as it is written."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            with connection.getresponse() as response:
                text = response.read().decode().replace("%0D%0A", "\n")
                return Answer(response.status, dict(response.getheaders()), text)
        finally:
            connection.close()

    def wait_for_servers(self, number: int) -> None:
        """Until requests reach so many different backends."""

        def reached() -> bool:
            answers = [self.request() for _ in range(2 * number)]
            names = {answer.server for answer in answers if answer.status == 200}
            return len(names) == number

        until(reached, f"{number} servers in use")

    def named_servers(self) -> int:
        """How many servers have an address, which they keep until the DNS has forgotten them."""
        metrics = get(self.container, INTERNAL_PORT, "/metrics")
        unnamed = re.findall(r'^haproxy_server_status\{.*state="MAINT"\} ([01])', metrics, re.MULTILINE)
        return unnamed.count("0")


def start_gateway(
    engine: Engine,
    image: str,
    settings: GatewaySettings = SETTINGS,
    network: Network | None = None,
    backend: BackendSettings = BACKEND,
) -> RunningGateway:
    network = network or engine.network()
    configuration = engine.files(image, {"haproxy.cfg": File(gateway_configuration(settings, backend))})
    container = engine.start(
        image,
        volumes={"/etc/haproxy:ro": configuration.name},
        tmpfs=TMPFS,
        network=network,
        alias="gateway",
        publish=PUBLIC_PORT,
        memory="128m",
    )
    wait_healthy(container)
    return RunningGateway(engine, image, network, configuration, container)


def count(stub: Container, line: str) -> int:
    """How often a stub was sent a request: its method and path."""
    return logs(stub).splitlines().count(line)
