"""The parts that watch a stack, put together."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from components.backend import Backend
from components.configuration import team_secret
from components.images import ServiceImage
from components.monitoring.alertmanager import Alertmanager
from components.monitoring.exporters import Exporters
from components.monitoring.prometheus import Prometheus
from components.networks import Networks
from components.postgres import Postgres
from components.redis import Redis
from components.settings import DASHBOARD_PASSWORD, GUARDIAN_TOKEN, TEAM_SECRETS
from components.stack import Stack
from components.stack_secret import StackSecret


class Monitoring(pulumi.ComponentResource):
    """Prometheus, Alertmanager and the exporters, where the settings ask for them; else nothing.

    `guardian_token` is what Alertmanager shows the guardian, `dashboard_password` one more secret whose
    age is told. Nothing of a stack waits for these parts, and none of them waits for a backend.
    """

    containers: Mapping[str, list[docker.Container]]
    volumes: Mapping[str, pulumi.Output[str]]

    def __init__(
        self,
        stack: Stack,
        networks: Networks,
        postgres: Postgres,
        redis: Redis,
        backend: Backend,
        guardian_token: StackSecret | None,
        dashboard_password: StackSecret | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("medianest:index:Monitoring", "monitoring", {}, opts)
        self.containers, self.volumes = {}, {}
        if (
            networks.monitoring
            and postgres.monitoring
            and redis.monitoring
            and guardian_token
            and dashboard_password
        ):
            child = pulumi.ResourceOptions(parent=self)
            prometheus = Prometheus(
                stack,
                ServiceImage(stack, "prometheus", None, child),
                [networks.monitoring, networks.public],
                {
                    name: secret.made_at
                    for name, secret in {
                        "postgres_password": postgres.secret,
                        "redis_password": redis.secret,
                        **backend.secrets,
                        "postgres_monitoring_password": postgres.monitoring.secret,
                        "redis_monitoring_password": redis.monitoring.secret,
                        GUARDIAN_TOKEN: guardian_token,
                        DASHBOARD_PASSWORD: dashboard_password,
                    }.items()
                },
                child,
            )
            given = {name: value for name in sorted(TEAM_SECRETS) if (value := team_secret(name)) is not None}
            told = given or stack.settings.monitoring.email
            alertmanager = Alertmanager(
                stack,
                ServiceImage(stack, "alertmanager", None, child),
                # The way out, where there is somebody out there to tell.
                [networks.monitoring, networks.public] if told else [networks.monitoring],
                guardian_token.current,
                given,
                child,
            )
            exporters = Exporters(
                stack,
                ServiceImage(stack, "exporters", None, child),
                networks.monitoring,
                networks.data,
                postgres.monitoring,
                redis.monitoring,
                child,
            )
            self.containers = {
                "prometheus": prometheus.containers,
                "alertmanager": alertmanager.containers,
                **exporters.containers,
            }
            self.volumes = {"prometheus": prometheus.volume, "alertmanager": alertmanager.volume}
        self.register_outputs({})
