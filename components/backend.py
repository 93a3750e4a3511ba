"""The backend: replicas of the team's image, replaced one release by the next without a gap."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from components import labels as label
from components.containers import run_workload
from components.images import Images
from components.networks import Networks
from components.postgres import Postgres
from components.redis import Redis
from components.secret_files import SecretFiles
from components.settings import GUARDIAN_TOKEN, SECRETS_DIRECTORY, BackendSettings
from components.stack import Stack
from components.stack_secret import StackSecret
from components.volumes import data_volume
from components.workload import Attachment, Mount, Probe, UpdatePolicy, Workload


class Backend(pulumi.ComponentResource):
    """The backend's containers, its secrets as files, its volumes. `release` is the release's id."""

    release: pulumi.Output[str]
    secrets: Mapping[str, StackSecret]
    volumes: Mapping[str, pulumi.Output[str]]
    containers: list[docker.Container]

    def __init__(
        self,
        stack: Stack,
        networks: Networks,
        images: Images,
        postgres: Postgres,
        redis: Redis,
        given_secrets: Mapping[str, pulumi.Output[str] | None],
        guardian_token: StackSecret | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("medianest:index:Backend", "backend", {}, opts)
        settings = stack.settings.backend
        child = pulumi.ResourceOptions(parent=self)

        files: dict[str, pulumi.Output[str]] = {"database_url": postgres.url, "redis_url": redis.url}
        versions = [postgres.version, redis.version]
        idle = stack.settings.idle
        self.secrets = made = {
            name: StackSecret(
                name,
                secret_settings,
                given_secrets.get(name),
                generation=stack.settings.generation(name),
                opts=child,
            )
            for name, secret_settings in {**settings.secrets, **idle.secrets}.items()
        }
        for name, secret_settings in settings.secrets.items():
            secret = made[name]
            files[name] = secret.current
            if secret_settings.previous:
                files[f"{name}_previous"] = secret.previous
            versions.append(secret.version)
        if guardian_token is not None:
            files[GUARDIAN_TOKEN] = guardian_token.current
            versions.append(guardian_token.version)
        version = pulumi.Output.all(*versions).apply(
            lambda parts: _digest(sorted(str(part) for part in parts))
        )
        secrets = SecretFiles(stack, "backend", files, user=settings.user, version=version, opts=child)

        self.volumes = {
            volume.name: data_volume(stack, f"backend-{volume.name}", "backend", child).name
            for volume in [*settings.volumes, *idle.volumes]
        }
        pin = stack.settings.pin
        # A pinned release keeps its id, also where its secrets have been rotated since.
        self.release = version.apply(
            lambda tag: pin.release if pin else release_id(images.backend.content, settings, tag)
        )
        self.containers = run_workload(
            "backend",
            Workload(
                component="backend",
                image=images.backend.id,
                user=settings.user,
                command=settings.command,
                environment=environment(stack.name, settings, guarded=guardian_token is not None)
                | {"RELEASE": self.release},
                mounts=[
                    secrets.mount,
                    *(Mount(self.volumes[volume.name], volume.path) for volume in settings.volumes),
                ],
                tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=64m"},  # noqa: S108 - inside the container
                networks=[Attachment(networks.public, ["backend"]), Attachment(networks.data, ["backend"])],
                limits=settings.limits,
                labels=stack.labels("backend") | {label.RELEASE: self.release},
                probe=probe(settings),
                update=UpdatePolicy.CREATE_FIRST,
                replicas=settings.replicas,
                start_seconds=settings.health.start_seconds,
                grace_seconds=settings.drain_seconds,
            ),
            pulumi.ResourceOptions(
                parent=self,
                depends_on=[
                    secrets,
                    images,
                    *postgres.containers,
                    postgres.roles,
                    *redis.containers,
                    redis.users,
                ],
            ),
        )
        self.register_outputs({"release": self.release})


def release_id(image_content: str, settings: BackendSettings, secrets_version: str) -> str:
    """A release is what its inputs are: the same image, settings and secrets are the same release.

    The number of replicas does not count. Returns 12 hexadecimal digits.
    """
    inputs = settings.model_dump(mode="json", exclude={"replicas"})
    return _digest([image_content, json.dumps(inputs, sort_keys=True), secrets_version])


def environment(
    stack: str, settings: BackendSettings, *, guarded: bool = False
) -> dict[str, pulumi.Input[str]]:
    """The backend's plain variables: those of the contract, then the team's own, which win."""
    secrets = ["database_url", "redis_url", *settings.secrets, *([GUARDIAN_TOKEN] if guarded else [])]
    files = {f"{name.upper()}_FILE": f"{SECRETS_DIRECTORY}/{name}" for name in secrets}
    contract = {"PORT": str(settings.port), "DRAIN_SECONDS": str(settings.drain_seconds), "STACK": stack}
    return {**contract, **files, **settings.environment}


def probe(settings: BackendSettings) -> Probe:
    """The container's health is the backend's readiness, so that a deploy waits for it."""
    health = settings.health
    return Probe(
        health.command or ["http-probe", str(settings.port), health.ready],
        interval=health.interval_seconds,
        timeout=health.timeout_seconds,
        retries=health.retries,
        start_period=health.start_seconds,
    )


def _digest(parts: list[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
