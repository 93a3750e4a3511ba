"""The database: one PostgreSQL on a volume, on the data network only."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.containers import run_workload
from components.images import Images
from components.monitoring.account import MonitoringAccount, monitoring_account
from components.networks import Networks
from components.secret_files import SecretFiles
from components.service_accounts import DatabaseMonitor, DatabaseRoles
from components.service_secret import service_secret
from components.settings import SECRETS_DIRECTORY, SERVICE_SECRETS
from components.stack import Stack
from components.stack_secret import StackSecret
from components.volumes import data_volume
from components.workload import Attachment, Mount, Probe, UpdatePolicy, Workload

USER = "999"
DATA = "/var/lib/postgresql/data"
# What each kind of statement takes is counted, for reports: without the values in it. Utility statements
# are left out, since their texts are kept as they are: one of them may set a password.
# Source: https://www.postgresql.org/docs/current/pgstatstatements.html
COUNTED_STATEMENTS = [
    *("-c", "shared_preload_libraries=pg_stat_statements"),
    *("-c", "pg_stat_statements.track_utility=off"),
]


class Postgres(pulumi.ComponentResource):
    """PostgreSQL. `url` is the backend's connection URL, password included, and a secret.

    `role` is the role in it. It may be used once `roles` is there. `monitoring` is the account of the
    exporter, where the stack is watched.
    """

    url: pulumi.Output[str]
    version: pulumi.Output[str]
    role: pulumi.Output[str]
    roles: DatabaseRoles
    secret: StackSecret
    monitoring: MonitoringAccount | None
    volume: pulumi.Output[str]
    containers: list[docker.Container]

    def __init__(
        self,
        stack: Stack,
        networks: Networks,
        images: Images,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("medianest:index:Postgres", "postgres", {}, opts)
        settings = stack.settings.postgres
        child = pulumi.ResourceOptions(parent=self)
        labels = stack.labels("postgres")
        # What the image asks for on its first run. `DatabaseRoles` takes it out of use at once.
        first = StackSecret("postgres_first_password", SERVICE_SECRETS["postgres_password"], opts=child)
        secret = self.secret = service_secret(stack, "postgres_password", child)
        files = SecretFiles(stack, "postgres", {"postgres_password": first.current}, user=USER, opts=child)
        data = data_volume(stack, "postgres-data", "postgres", child)
        self.containers = run_workload(
            "postgres",
            Workload(
                component="postgres",
                image=images.postgres.id,
                user=USER,
                command=[
                    "postgres",
                    "-c",
                    f"max_connections={settings.max_connections}",
                    "-c",
                    f"shared_buffers={settings.shared_buffers_mb}MB",
                    *(COUNTED_STATEMENTS if stack.settings.monitoring.enabled else []),
                ],
                environment={
                    "POSTGRES_USER": settings.user,
                    "POSTGRES_DB": settings.database,
                    "POSTGRES_PASSWORD_FILE": f"{SECRETS_DIRECTORY}/postgres_password",
                },
                mounts=[Mount(data.name, DATA), files.mount],
                tmpfs={
                    "/tmp": "rw,noexec,nosuid,nodev,size=64m",  # noqa: S108 - inside the container
                    "/var/run/postgresql": f"rw,noexec,nosuid,nodev,size=1m,uid={USER},gid={USER},mode=0755",
                },
                networks=[Attachment(networks.data, ["postgres"])],
                limits=settings.limits,
                labels=labels,
                probe=Probe(
                    ["pg_isready", "-q", "-h", "127.0.0.1", "-U", settings.user, "-d", settings.database]
                ),
                update=UpdatePolicy.STOP_FIRST,
                start_seconds=120,
                grace_seconds=60,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[files, images]),
        )
        self.volume = data.name
        self.version = secret.version
        self.role = secret.slot.apply(lambda slot: f"{settings.user}_{slot}")
        self.roles = DatabaseRoles(
            "postgres-roles",
            container=self.containers[0].id,
            administrator=settings.user,
            database=settings.database,
            account=self.role,
            password=secret.current,
            version=secret.version,
            opts=child,
        )
        self.monitoring = monitoring_account(stack, "postgres", f"{settings.user}_monitoring", child)
        if self.monitoring:
            DatabaseMonitor(
                "postgres-monitoring",
                container=self.containers[0].id,
                administrator=settings.user,
                database=settings.database,
                account=self.monitoring.name,
                password=self.monitoring.secret.current,
                version=self.monitoring.secret.version,
                opts=child,
            )
        self.url = pulumi.Output.secret(
            pulumi.Output.concat(
                *("postgresql://", self.role, ":", secret.current),
                f"@postgres:5432/{settings.database}",
            )
        )
        self.register_outputs({})
