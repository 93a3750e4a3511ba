"""The exporters: what turns the state of Postgres, Redis and the host into figures for Prometheus."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_docker as docker

from components.containers import run_workload
from components.images import ServiceImage
from components.monitoring.account import MonitoringAccount
from components.monitoring.scraping import (
    HEALTH_SECONDS,
    NODE_EXPORTER_PORT,
    POSTGRES_EXPORTER_PORT,
    REDIS_EXPORTER_PORT,
)
from components.secret_files import SecretFiles
from components.settings import SECRETS_DIRECTORY
from components.stack import Stack
from components.workload import Attachment, Probe, UpdatePolicy, Workload

USER = "9100"
# Their own time-out: shorter than Prometheus', so that they still say what does not answer.
ANSWER_SECONDS = 2


class Exporters(pulumi.ComponentResource):
    """Three containers of one image. Each has the network of what it asks, and its password alone.

    They wait for nothing: they ask anew with each reading, until Postgres and Redis know their accounts.
    """

    containers: Mapping[str, list[docker.Container]]

    def __init__(
        self,
        stack: Stack,
        image: ServiceImage,
        monitoring_network: pulumi.Output[str],
        data_network: pulumi.Output[str],
        postgres: MonitoringAccount,
        redis: MonitoringAccount,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("medianest:index:Exporters", "exporters", {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        both = [monitoring_network, data_network]

        def exporter(
            name: str,
            port: int,
            command: Sequence[str],
            networks: Sequence[pulumi.Output[str]],
            environment: Mapping[str, pulumi.Input[str]],
            files: SecretFiles | None = None,
        ) -> list[docker.Container]:
            limits = stack.settings.monitoring.exporters.limits
            return run_workload(
                name,
                Workload(
                    component=name,
                    image=image.id,
                    user=USER,
                    command=command,
                    environment={"GOMEMLIMIT": f"{limits.memory_mb // 2}MiB", **environment},
                    mounts=[files.mount] if files else [],
                    networks=[Attachment(network, [name]) for network in networks],
                    limits=limits,
                    labels=stack.labels(name),
                    probe=Probe(["http-probe", str(port), "/"], interval=HEALTH_SECONDS),
                    update=UpdatePolicy.STOP_FIRST,
                ),
                pulumi.ResourceOptions(parent=self, depends_on=[files] if files else []),
            )

        def secret_files(name: str, account: MonitoringAccount, content: pulumi.Output[str]) -> SecretFiles:
            # They read it once, when they start: a new value is a new volume, and a new container.
            return SecretFiles(
                stack, name, {"password": content}, user=USER, version=account.secret.version, opts=child
            )

        database = stack.settings.postgres.database
        address = "redis:6379"
        redis_passwords = pulumi.Output.all(redis.name, redis.secret.current).apply(
            lambda parts: json.dumps({f"redis://{parts[0]}@{address}": parts[1]})
        )
        self.containers = {
            "postgres-exporter": exporter(
                "postgres-exporter",
                POSTGRES_EXPORTER_PORT,
                POSTGRES_COMMAND,
                both,
                {
                    "DATA_SOURCE_URI": f"postgres:5432/{database}?sslmode=disable"
                    f"&connect_timeout={ANSWER_SECONDS}&application_name=postgres-exporter",
                    "DATA_SOURCE_USER": postgres.name,
                    "DATA_SOURCE_PASS_FILE": f"{SECRETS_DIRECTORY}/password",
                },
                secret_files("postgres-exporter", postgres, postgres.secret.current),
            ),
            "redis-exporter": exporter(
                "redis-exporter",
                REDIS_EXPORTER_PORT,
                REDIS_COMMAND,
                both,
                {
                    "REDIS_ADDR": f"redis://{address}",
                    "REDIS_USER": redis.name,
                    "REDIS_PASSWORD_FILE": f"{SECRETS_DIRECTORY}/password",
                },
                secret_files("redis-exporter", redis, redis_passwords),
            ),
            "node-exporter": exporter(
                "node-exporter", NODE_EXPORTER_PORT, NODE_COMMAND, [monitoring_network], {}
            ),
        }
        self.register_outputs({})


POSTGRES_COMMAND = [
    "prometheus-postgres-exporter",
    "--config.file=/dev/null",
    "--disable-default-metrics",
    "--disable-settings-metrics",
    "--no-collector.roles",
    "--no-collector.replication",
    "--no-collector.replication_slot",
    "--no-collector.stat_bgwriter",
    "--no-collector.stat_user_tables",
    "--no-collector.statio_user_tables",
    "--log.level=error",
]
REDIS_COMMAND = [
    "prometheus-redis-exporter",
    # It may not look at Redis' configuration, which holds nothing that is asked for.
    "-config-command=-",
    f"-connection-timeout={ANSWER_SECONDS}s",
    "-exclude-latency-histogram-metrics",
    "-redis-only-metrics",
]
# No mount of the host's is needed: the kernel tells of processors, memory and disks in every container,
# and the root of a container lies on the disk that holds Docker's data.
NODE_COMMAND = [
    "prometheus-node-exporter",
    "--collector.disable-defaults",
    *(f"--collector.{name}" for name in ("cpu", "diskstats", "filesystem", "loadavg", "meminfo", "vmstat")),
    "--collector.filesystem.mount-points-exclude=^/.+",
    "--collector.filesystem.fs-types-exclude=^$",
    "--web.disable-exporter-metrics",
    "--log.level=warn",
]
