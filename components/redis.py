"""The cache: one Redis on the data network only, its users in an ACL file."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.accounts import REDIS_ADMINISTRATOR_FILE, acl_rules, monitoring_acl_rules, password_hash
from components.containers import run_workload
from components.images import Images
from components.monitoring.account import MonitoringAccount, monitoring_account
from components.networks import Networks
from components.secret_files import SecretFiles
from components.service_accounts import CacheMonitor, CacheUsers
from components.service_secret import service_secret
from components.settings import SECRETS_DIRECTORY, SERVICE_SECRETS
from components.stack import Stack
from components.stack_secret import StackSecret
from components.volumes import data_volume
from components.workload import Attachment, Mount, Probe, UpdatePolicy, Workload

USER = "999"
DATA = "/data"


class Redis(pulumi.ComponentResource):
    """Redis. `url` is the backend's connection URL, password included, and a secret.

    `user` is the user in it. It may be used once `users` is there. `monitoring` is the account of the
    exporter, where the stack is watched.
    """

    url: pulumi.Output[str]
    version: pulumi.Output[str]
    user: pulumi.Output[str]
    users: CacheUsers
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
        super().__init__("medianest:index:Redis", "redis", {}, opts)
        settings = stack.settings.redis
        child = pulumi.ResourceOptions(parent=self)
        labels = stack.labels("redis")
        administrator = StackSecret("redis_administrator", SERVICE_SECRETS["redis_password"], opts=child)
        secret = self.secret = service_secret(stack, "redis_password", child)
        self.user = secret.slot.apply(lambda slot: f"backend_{slot}")
        self.monitoring = monitoring_account(stack, "redis", "monitoring", child)
        acl = pulumi.Output.all(self.user, secret.current, administrator.current).apply(
            lambda parts: access_list(*parts)
        )
        if self.monitoring:
            acl = pulumi.Output.all(acl, self.monitoring.name, self.monitoring.secret.current).apply(
                lambda parts: f"{parts[0]}user {parts[1]} {monitoring_acl_rules(parts[2])}\n"
            )
        files = SecretFiles(
            stack,
            "redis",
            {"users.acl": acl, REDIS_ADMINISTRATOR_FILE: administrator.current},
            user=USER,
            opts=child,
        )
        data = data_volume(stack, "redis-data", "redis", child)
        self.containers = run_workload(
            "redis",
            Workload(
                component="redis",
                image=images.redis.id,
                user=USER,
                command=[
                    "redis-server",
                    "--aclfile",
                    f"{SECRETS_DIRECTORY}/users.acl",
                    "--dir",
                    DATA,
                    # For an official image: ours has it by default.
                    "--appendonly",
                    "yes",
                    "--maxmemory",
                    f"{settings.maxmemory_mb}mb",
                    "--maxmemory-policy",
                    settings.maxmemory_policy,
                ],
                mounts=[Mount(data.name, DATA), files.mount],
                tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=16m"},  # noqa: S108 - inside the container
                networks=[Attachment(networks.data, ["redis"])],
                limits=settings.limits,
                labels=labels,
                probe=Probe(["sh", "-c", "redis-cli ping | grep -q PONG"]),
                update=UpdatePolicy.STOP_FIRST,
                grace_seconds=30,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[files, images]),
        )
        self.volume = data.name
        self.version = secret.version
        self.users = CacheUsers(
            "redis-users",
            container=self.containers[0].id,
            administrator_file=f"{SECRETS_DIRECTORY}/{REDIS_ADMINISTRATOR_FILE}",
            account=self.user,
            password=secret.current,
            version=secret.version,
            opts=child,
        )
        if self.monitoring:
            CacheMonitor(
                "redis-monitoring",
                container=self.containers[0].id,
                administrator_file=f"{SECRETS_DIRECTORY}/{REDIS_ADMINISTRATOR_FILE}",
                account=self.monitoring.name,
                password=self.monitoring.secret.current,
                version=self.monitoring.secret.version,
                opts=child,
            )
        self.url = pulumi.Output.secret(
            pulumi.Output.concat("redis://", self.user, ":", secret.current, "@redis:6379/0")
        )
        self.register_outputs({})


def access_list(user: str, password: str, administrator_password: str) -> str:
    """The ACL that Redis starts with.

    Source: https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
    """
    return (
        # Strangers may only PING, which the health check does.
        "user default on nopass resetkeys resetchannels -@all +ping\n"
        f"user administrator on {password_hash(administrator_password)} resetkeys resetchannels"
        " -@all +acl +client|list\n"
        f"user {user} {acl_rules(password)}\n"
    )
