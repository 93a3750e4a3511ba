"""The guardian, which heals the stack, and the proxy through which alone it reaches the engine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_docker as docker

from components.configuration import team_secret
from components.containers import network_labels, run_workload, volume_labels
from components.engine_socket import engine_socket
from components.hardening.kinds import SOCKET
from components.images import ServiceImage
from components.monitoring.scraping import GUARDIAN_PORT, HEALTH_SECONDS
from components.networks import Networks
from components.secret_files import SecretFiles, names_of
from components.service_secret import service_secret
from components.settings import (
    DASHBOARD_PASSWORD,
    GUARDIAN_TOKEN,
    SECRETS_DIRECTORY,
    StackSettings,
    url_of,
)
from components.stack import Stack
from components.stack_secret import StackSecret
from components.workload import (
    Attachment,
    HostMount,
    Mount,
    Probe,
    PublishedPort,
    UpdatePolicy,
    Workload,
)

USER = "998"
PROXY_PORT = 2375
# Of the dashboard alone: what publishes it reaches nothing else of the guardian's.
DASHBOARD_PORT = 8081
WEBHOOK_FILE = "alert_webhook_url"
# Where its journal, its evidence and its reports are.
MEMORY = "/var/lib/guardian"


def guardian_token(stack: Stack) -> StackSecret | None:
    """What Alertmanager shows the guardian, and the guardian the backends; None where nothing is watched."""
    if not stack.settings.monitoring.enabled:
        return None
    return service_secret(stack, GUARDIAN_TOKEN)


def dashboard_password(stack: Stack) -> StackSecret | None:
    """What people log in to the dashboard with; None where nothing is watched."""
    if not stack.settings.monitoring.enabled:
        return None
    return service_secret(stack, DASHBOARD_PASSWORD)


class Guardian(pulumi.ComponentResource):
    """Both containers where a stack is watched, which it is where there are `token` and `password`; else
    nothing. `dashboard` is where its dashboard is published, None where it is not.

    Nothing of a stack waits for them.
    """

    containers: Mapping[str, list[docker.Container]]
    networks: Mapping[str, pulumi.Output[str]]
    volumes: Mapping[str, pulumi.Output[str]]
    dashboard: str | None

    def __init__(
        self,
        stack: Stack,
        networks: Networks,
        token: StackSecret | None,
        password: StackSecret | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("medianest:index:Guardian", "guardian", {}, opts)
        self.containers, self.networks, self.volumes = {}, {}, {}
        published = stack.settings.guardian.dashboard
        self.dashboard = url_of(published.address, published.port) if published and token else None
        if token is not None and password is not None and networks.monitoring is not None:
            child = pulumi.ResourceOptions(parent=self)
            image = ServiceImage(stack, "guardian", None, child, context="guardian")
            engine = docker.Network(
                "engine",
                docker.NetworkArgs(internal=True, labels=network_labels(stack.labels("network"))),
                child,
            ).name
            memory = docker.Volume(
                "guardian-memory", docker.VolumeArgs(labels=volume_labels(stack.labels("guardian"))), child
            ).name
            proxies = self._proxy(stack, image, engine, child)
            guardians = self._guardian(
                stack,
                image,
                # `public` is where each replica can be asked by itself.
                [engine, networks.public, networks.monitoring],
                networks.public,
                memory,
                {GUARDIAN_TOKEN: token.current}
                | ({DASHBOARD_PASSWORD: password.current} if published else {}),
                child,
            )
            self.containers = {"engine-proxy": proxies, "guardian": guardians}
            self.networks, self.volumes = {"engine": engine}, {"guardian": memory}
        self.register_outputs({})

    @staticmethod
    def _guardian(
        stack: Stack,
        image: ServiceImage,
        networks: Sequence[pulumi.Output[str]],
        replicas: pulumi.Output[str],
        memory: pulumi.Output[str],
        own: Mapping[str, pulumi.Output[str]],
        child: pulumi.ResourceOptions,
    ) -> list[docker.Container]:
        webhook, published = team_secret(WEBHOOK_FILE), stack.settings.guardian.dashboard
        files = {**own, **({WEBHOOK_FILE: webhook} if webhook is not None else {})}
        secrets = SecretFiles(stack, "guardian", files, user=USER, version=names_of(files), opts=child)
        settings = pulumi.Output.all(owner=stack.owner, network=replicas).apply(
            lambda known: json.dumps(told(stack.name, stack.settings) | known, sort_keys=True)
        )
        return run_workload(
            "guardian",
            Workload(
                component="guardian",
                image=image.id,
                user=USER,
                command=["guard"],
                environment={"GUARDIAN_SETTINGS": settings},
                mounts=[Mount(memory, MEMORY), secrets.mount],
                tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=16m"},  # noqa: S108 - inside the container
                networks=[Attachment(network, ["guardian"]) for network in networks],
                published=PublishedPort(published.address, published.port, DASHBOARD_PORT)
                if published
                else None,
                limits=stack.settings.guardian.limits,
                labels=stack.labels("guardian"),
                probe=Probe(["http-probe", str(GUARDIAN_PORT), "/health/live"], interval=HEALTH_SECONDS),
                update=UpdatePolicy.STOP_FIRST,
            ),
            pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[secrets])),
        )

    @staticmethod
    def _proxy(
        stack: Stack, image: ServiceImage, network: pulumi.Output[str], child: pulumi.ResourceOptions
    ) -> list[docker.Container]:
        socket = engine_socket(stack.settings.guardian.engine, os.environ)
        return run_workload(
            "engine-proxy",
            Workload(
                component="engine-proxy",
                image=image.id,
                user=USER,
                groups=[socket.group],
                command=["engine-proxy"],
                environment={"STACK": stack.name, "OWNER": stack.owner, "ENGINE_SOCKET": SOCKET},
                host_mounts=[HostMount(socket.path, SOCKET)],
                tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=16m"},  # noqa: S108 - inside the container
                networks=[Attachment(network, ["engine-proxy"])],
                limits=stack.settings.guardian.proxy_limits,
                labels=stack.labels("engine-proxy"),
                probe=Probe(["http-probe", str(PROXY_PORT), "/_ping"], interval=HEALTH_SECONDS),
                update=UpdatePolicy.STOP_FIRST,
            ),
            child,
        )


def told(stack: str, settings: StackSettings) -> dict[str, object]:
    """The guardian's settings, in its own words and in seconds (guardian/settings.py)."""
    own, backend = settings.guardian, settings.backend
    return {
        "stack": stack,
        "time_scale": settings.monitoring.time_scale,
        "backend_port": backend.port,
        "report": backend.health.report,
        "metrics": settings.monitoring.backend_metrics or "",
        "restart_workers": backend.healing.restart_workers or "",
        "stack_dump": backend.healing.stack_dump or "",
        "token_file": f"{SECRETS_DIRECTORY}/{GUARDIAN_TOKEN}",
        "webhook_file": f"{SECRETS_DIRECTORY}/{WEBHOOK_FILE}",
        "dashboard_port": DASHBOARD_PORT if own.dashboard else 0,
        "dashboard_password_file": f"{SECRETS_DIRECTORY}/{DASHBOARD_PASSWORD}",
        "budget_actions": own.budget.actions,
        "budget_seconds": own.budget.minutes * 60,
        "backoff_first_seconds": own.backoff.first_seconds,
        "backoff_longest_seconds": own.backoff.longest_seconds,
        "settle_seconds": own.settle_seconds,
        "start_seconds": backend.health.start_seconds,
        "rollback_seconds": own.rollback_minutes * 60,
        "watchdog_seconds": own.watchdog_minutes * 60,
        "memory_report_seconds": own.reports.memory_minutes * 60,
        "health_report_seconds": own.reports.health_minutes * 60,
        "workers_report_seconds": own.reports.workers_hours * 3600,
        "report_days": own.reports.keep_days,
        "evidence_cases": own.evidence_cases,
    }
