"""Alertmanager: groups alerts, holds back what follows from others, and tells the guardian and the team."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from components.configuration_files import configuration_files
from components.containers import run_workload, volume_labels
from components.images import ServiceImage
from components.monitoring.notifying import alertmanager_configuration
from components.monitoring.scraping import ALERTMANAGER_PORT, HEALTH_SECONDS
from components.secret_files import SecretFiles, names_of
from components.settings import GUARDIAN_TOKEN, SettingsError
from components.stack import Stack
from components.workload import Attachment, Mount, Probe, UpdatePolicy, Workload

USER = "9093"
CONFIGURATION = "/etc/alertmanager"
DATA = "/var/lib/alertmanager"
# With the feature the figures on messages have the receiver as a label: `receiver_name`.
COMMAND = ["--log.level=warn", "--enable-feature=receiver-name-in-metrics"]


class Alertmanager(pulumi.ComponentResource):
    """`given` are the secrets of TEAM_SECRETS that the team has set. It reads its secret files with
    every message that it sends, so that a rotation replaces them in place. One that comes or goes is a
    new volume, and a new container."""

    containers: list[docker.Container]
    volume: pulumi.Output[str]

    def __init__(
        self,
        stack: Stack,
        image: ServiceImage,
        networks: list[pulumi.Output[str]],
        guardian_token: pulumi.Output[str],
        given: Mapping[str, pulumi.Output[str]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("medianest:index:Alertmanager", "alertmanager", {}, opts)
        monitoring = stack.settings.monitoring
        child = pulumi.ResourceOptions(parent=self)
        labels = stack.labels("alertmanager")
        secrets = {
            GUARDIAN_TOKEN: guardian_token,
            **{name: _checked(name, value) for name, value in given.items()},
        }
        files = SecretFiles(stack, "alertmanager", secrets, user=USER, version=names_of(secrets), opts=child)
        data = docker.Volume("alertmanager-data", docker.VolumeArgs(labels=volume_labels(labels)), child)
        configuration = configuration_files(
            stack,
            "alertmanager",
            CONFIGURATION,
            {"alertmanager.yml": alertmanager_configuration(monitoring, given.keys())},
            user=USER,
            opts=child,
        )
        self.containers = run_workload(
            "alertmanager",
            Workload(
                component="alertmanager",
                image=image.id,
                user=USER,
                command=COMMAND,
                environment={"GOMEMLIMIT": f"{monitoring.alertmanager.limits.memory_mb // 2}MiB"},
                mounts=[configuration.mount, Mount(data.name, DATA), files.mount],
                tmpfs={
                    "/tmp": "rw,noexec,nosuid,nodev,size=16m",  # noqa: S108 - inside the container
                    "/run/alertmanager": f"rw,noexec,nosuid,nodev,size=4m,uid={USER},gid={USER},mode=0750",
                },
                networks=[Attachment(network, ["alertmanager"]) for network in networks],
                limits=monitoring.alertmanager.limits,
                labels=labels,
                probe=Probe(["http-probe", str(ALERTMANAGER_PORT), "/-/ready"], interval=HEALTH_SECONDS),
                update=UpdatePolicy.STOP_FIRST,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[configuration.loader, files]),
        )
        self.volume = data.name
        self.register_outputs({})


def _checked(name: str, value: pulumi.Output[str]) -> pulumi.Output[str]:
    """Refuse what is no URL before anything is made, without showing it."""

    def check(url: str) -> str:
        if name.endswith("_url") and not url.startswith(("http://", "https://")):
            raise SettingsError([f"secret {name} must be a URL that begins with http:// or https://"])
        return url

    return value.apply(check)
