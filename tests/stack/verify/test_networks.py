"""Who can reach whom."""

from __future__ import annotations

from typing import Any

import requests

from components import guardian
from components.gateway_configuration import INTERNAL_PORT, PUBLIC_PORT, STATE_PORT
from components.monitoring.scraping import (
    ALERTMANAGER_PORT,
    GUARDIAN_PORT,
    NODE_EXPORTER_PORT,
    POSTGRES_EXPORTER_PORT,
    PROMETHEUS_PORT,
    REDIS_EXPORTER_PORT,
)
from tests.harness.deployed_stack import DeployedStack


def _published(ports: dict[str, Any]) -> list[tuple[str, str]]:
    return [(entry["HostIp"], entry["HostPort"]) for bound in ports.values() for entry in bound or []]


def test_only_the_gateway_and_the_dashboard_are_published_and_where_declared(stack: DeployedStack) -> None:
    gateway, dashboard = stack.settings.gateway, stack.settings.guardian.dashboard
    for running in stack.containers:
        published = _published(running.inspected["NetworkSettings"]["Ports"])
        expected = {
            "gateway": [(gateway.address, str(gateway.port))],
            "guardian": [(dashboard.address, str(dashboard.port))] if dashboard else [],
        }.get(running.component, [])
        assert published == expected, running.name


def test_only_the_declared_ports_are_listened_on(stack: DeployedStack) -> None:
    ports = {
        "gateway": {PUBLIC_PORT, INTERNAL_PORT, STATE_PORT},
        "backend": {stack.settings.backend.port},
        "postgres": {5432},
        "redis": {6379},
        "prometheus": {PROMETHEUS_PORT},
        "alertmanager": {ALERTMANAGER_PORT},
        "postgres-exporter": {POSTGRES_EXPORTER_PORT},
        "redis-exporter": {REDIS_EXPORTER_PORT},
        "node-exporter": {NODE_EXPORTER_PORT},
        "engine-proxy": {guardian.PROXY_PORT},
        "guardian": {
            GUARDIAN_PORT,
            *([guardian.DASHBOARD_PORT] if stack.settings.guardian.dashboard else []),
        },
    }
    for running in stack.containers:
        process, *_ = running.processes
        assert process.listening_ports() == ports[running.component], running.name


def test_the_data_network_has_no_way_out(stack: DeployedStack) -> None:
    network = stack.engine.networks.get(stack.outputs["networks"]["data"])
    assert network.attrs["Internal"] is True
    for running in stack.of("postgres") + stack.of("redis"):
        assert list(running.inspected["NetworkSettings"]["Networks"]) == [stack.outputs["networks"]["data"]]


def test_the_watch_has_a_network_of_its_own(stack: DeployedStack) -> None:
    if not stack.watched:
        assert "monitoring" not in stack.outputs["networks"]
        return
    names = ("public", "data", "monitoring", "engine")
    public, data, monitoring, engine = (stack.outputs["networks"][name] for name in names)
    for internal in (monitoring, engine):
        assert stack.engine.networks.get(internal).attrs["Internal"] is True
    told = stack.settings.monitoring.email is not None or "alert_webhook_url" in _files_of(stack)
    expected = {
        "prometheus": {monitoring, public},
        "alertmanager": {monitoring, public} if told else {monitoring},
        "postgres-exporter": {monitoring, data},
        "redis-exporter": {monitoring, data},
        "node-exporter": {monitoring},
        # Nobody but the guardian reaches the engine's proxy.
        "engine-proxy": {engine},
        "guardian": {engine, monitoring, public},
    }
    for component, networks in expected.items():
        (running,) = stack.of(component)
        assert set(running.inspected["NetworkSettings"]["Networks"]) == networks, component


def _files_of(stack: DeployedStack) -> set[str]:
    (alertmanager,) = stack.of("alertmanager")
    return set(alertmanager.secret_files)


def test_the_gateway_cannot_reach_the_data(stack: DeployedStack) -> None:
    (gateway,) = stack.of("gateway")
    (postgres,) = stack.of("postgres")
    network = postgres.inspected["NetworkSettings"]["Networks"][stack.outputs["networks"]["data"]]
    public = stack.outputs["networks"]["public"]
    assert list(gateway.inspected["NetworkSettings"]["Networks"]) == [public]
    backend = stack.of("backend")[0].inspected["NetworkSettings"]["Networks"][public]
    # What can be reached is, in the same shell, and what cannot has half a second more.
    script = (
        f"(exec 3<>/dev/tcp/{backend['IPAddress']}/{stack.settings.backend.port}) && echo the backend;"
        f" (exec 3<>/dev/tcp/{network['IPAddress']}/5432 && echo the data) & sleep 0.5; kill $!"
    )
    reached = gateway.shell.run("bash -c %s 2>/dev/null", script).stdout.splitlines()
    assert reached == ["the backend"]


def test_the_gateway_answers_for_the_backend(stack: DeployedStack) -> None:
    answer = requests.get(stack.outputs["url"] + stack.settings.backend.health.ready, timeout=5)
    assert answer.status_code == 200


def test_internal_paths_are_not_there_from_outside(stack: DeployedStack) -> None:
    for path in stack.settings.gateway.internal_paths:
        assert requests.get(stack.outputs["url"] + path, timeout=5).status_code == 404


def test_every_backend_is_up_at_the_gateway(stack: DeployedStack) -> None:
    (gateway,) = stack.of("gateway")
    command = (
        "exec 3<>/dev/tcp/127.0.0.1/8405; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; "
        "grep '^haproxy_server_status' <&3"
    )
    lines = gateway.shell.run("bash -c %s", command).stdout.splitlines()
    up = [line for line in lines if 'state="UP"' in line and line.endswith(" 1")]
    servers = {line.split('server="', 1)[1].split('"', 1)[0] for line in up}
    assert len(servers) == stack.settings.backend.replicas
