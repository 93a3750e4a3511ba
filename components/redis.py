"""The cache: one Redis on the data network only, its users in an ACL file."""

from __future__ import annotations

import hashlib

import pulumi
import pulumi_docker as docker

from components.containers import run_workload
from components.images import Images
from components.networks import Networks
from components.secret_files import DIRECTORY, SecretFiles
from components.settings import SERVICE_SECRETS
from components.stack import Stack
from components.stack_secret import StackSecret
from components.volumes import data_volume
from components.workload import Attachment, Mount, Probe, UpdatePolicy, Workload

USER = "999"
DATA = "/data"


class Redis(pulumi.ComponentResource):
    """Redis. `url` is the backend's connection URL, password included, and a secret."""

    url: pulumi.Output[str]
    version: pulumi.Output[str]
    volume: pulumi.Output[str]
    containers: list[docker.Container]

    def __init__(
        self,
        stack: Stack,
        networks: Networks,
        images: Images,
        password: pulumi.Output[str] | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("medianest:index:Redis", "redis", {}, opts)
        settings = stack.settings.redis
        child = pulumi.ResourceOptions(parent=self)
        labels = stack.labels("redis")
        secret = StackSecret(
            "redis_password", SERVICE_SECRETS["redis_password"], password, rotates=False, opts=child
        )
        acl = secret.current.apply(lambda value: access_list([value]))
        files = SecretFiles(stack, "redis", {"users.acl": acl}, user=USER, opts=child)
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
                    f"{DIRECTORY}/users.acl",
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
        self.url = pulumi.Output.secret(
            pulumi.Output.concat("redis://backend:", secret.current, "@redis:6379/0")
        )
        self.register_outputs({})


def access_list(passwords: list[str]) -> str:
    """The ACL: `backend` may do all but administer, strangers may only PING (for the health check).

    Source: https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
    """
    hashes = " ".join(f"#{hashlib.sha256(value.encode()).hexdigest()}" for value in passwords)
    return (
        "user default on nopass resetkeys resetchannels -@all +ping\n"
        f"user backend on {hashes} ~* &* +@all -@admin -@dangerous +info +keys\n"
    )
