"""Prometheus: reads the figures of every part, keeps them for a while, and evaluates the rules."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from components.configuration_files import configuration_files
from components.containers import run_workload, volume_labels
from components.images import ServiceImage
from components.monitoring.rules import rules_file
from components.monitoring.scraping import HEALTH_SECONDS, PROMETHEUS_PORT, prometheus_configuration
from components.stack import Stack
from components.workload import Attachment, Mount, Probe, UpdatePolicy, Workload

USER = "9090"
CONFIGURATION = "/etc/prometheus"
DATA = "/var/lib/prometheus"


class Prometheus(pulumi.ComponentResource):
    """A changed configuration goes into its volume and is taken over without a restart."""

    containers: list[docker.Container]
    volume: pulumi.Output[str]

    def __init__(
        self,
        stack: Stack,
        image: ServiceImage,
        networks: list[pulumi.Output[str]],
        secrets_made: Mapping[str, pulumi.Output[str]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("medianest:index:Prometheus", "prometheus", {}, opts)
        settings = stack.settings.monitoring.prometheus
        child = pulumi.ResourceOptions(parent=self)
        labels = stack.labels("prometheus")
        data = docker.Volume("prometheus-data", docker.VolumeArgs(labels=volume_labels(labels)), child)
        configuration = configuration_files(
            stack,
            "prometheus",
            CONFIGURATION,
            pulumi.Output.all(**secrets_made).apply(
                lambda made: {
                    "prometheus.yml": prometheus_configuration(stack.project, stack.name, stack.settings),
                    "rules.yml": rules_file(stack.settings, made),
                }
            ),
            user=USER,
            opts=child,
        )
        self.containers = run_workload(
            "prometheus",
            Workload(
                component="prometheus",
                image=image.id,
                user=USER,
                command=[
                    f"--storage.tsdb.retention.time={settings.retention_days}d",
                    f"--storage.tsdb.retention.size={settings.retention_mb}MB",
                    "--log.level=warn",
                ],
                # Half of the limit for what is alive: the rest is for what is read from disk.
                environment={"GOMEMLIMIT": f"{settings.limits.memory_mb // 2}MiB", "GOGC": "50"},
                mounts=[configuration.mount, Mount(data.name, DATA)],
                tmpfs={
                    "/tmp": "rw,noexec,nosuid,nodev,size=16m",  # noqa: S108 - inside the container
                    "/run/prometheus": f"rw,noexec,nosuid,nodev,size=4m,uid={USER},gid={USER},mode=0750",
                },
                networks=[Attachment(network, ["prometheus"]) for network in networks],
                limits=settings.limits,
                labels=labels,
                probe=Probe(["http-probe", str(PROMETHEUS_PORT), "/-/ready"], interval=HEALTH_SECONDS),
                update=UpdatePolicy.STOP_FIRST,
                grace_seconds=30,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[configuration.loader]),
        )
        self.volume = data.name
        self.register_outputs({})
