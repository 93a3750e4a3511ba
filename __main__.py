"""A stack: its images and networks, Postgres and Redis, the backend, the gateway, what watches and heals
them, the seal on its data."""

from __future__ import annotations

from pathlib import Path

import pulumi

from components.backend import Backend
from components.configuration import read_settings, team_secret
from components.gateway import Gateway
from components.guardian import Guardian, dashboard_password, guardian_token
from components.hardening.enforcement import enforce
from components.images import Images
from components.lease import lease_volume
from components.monitoring.component import Monitoring
from components.networks import Networks
from components.owner import StackOwner
from components.postgres import Postgres
from components.redis import Redis
from components.seal import Seal
from components.service_secret import service_secret
from components.stack import Stack

enforce()

project, name = pulumi.get_project(), pulumi.get_stack()
settings = read_settings(project)
stack = Stack(project, name, Path(__file__).parent, settings, StackOwner("owner", project, name).owner)

if settings.pin:
    pulumi.log.info(
        f"stack {name} is pinned to release {settings.pin.release} since {settings.pin.since}. "
        f"Lift it with: ./medianest up {name} --unpin"
    )

# The lease first, so that whatever is cut off expires; and it goes last.
leased = pulumi.ResourceOptions(depends_on=[lease_volume(stack, settings.lease)] if settings.lease else [])
images = Images(stack, leased)
networks = Networks(stack, leased)
# Early: when the rest of a stack does not get up is when its data has to be saved.
backup_key = service_secret(stack, "backup_key")
postgres = Postgres(stack, networks, images, leased)
redis = Redis(stack, networks, images, leased)
token, password = guardian_token(stack), dashboard_password(stack)
backend = Backend(
    stack,
    networks,
    images,
    postgres,
    redis,
    {secret: team_secret(secret) for secret in [*settings.backend.secrets, *settings.idle.secrets]},
    token,
    leased,
)
gateway = Gateway(stack, networks, images, leased)
monitoring = Monitoring(stack, networks, postgres, redis, backend, token, password, leased)
guardian = Guardian(stack, networks, token, password, leased)
parts = [backup_key, networks, postgres, redis, backend, gateway, monitoring, guardian]
Seal("seal", parts, protected=settings.data.protected)

pulumi.export("url", gateway.url)
pulumi.export("dashboard", guardian.dashboard)
pulumi.export("release", backend.release)
pulumi.export("image", {"name": images.backend.name, "id": images.backend.id})
pulumi.export(
    "containers",
    {
        "gateway": [container.name for container in gateway.containers],
        "backend": [container.name for container in backend.containers],
        "postgres": [container.name for container in postgres.containers],
        "redis": [container.name for container in redis.containers],
        **{
            component: [container.name for container in containers]
            for component, containers in {**monitoring.containers, **guardian.containers}.items()
        },
    },
)
pulumi.export(
    "networks",
    {
        "public": networks.public,
        "data": networks.data,
        **({"monitoring": networks.monitoring} if networks.monitoring else {}),
        **guardian.networks,
    },
)
pulumi.export(
    "volumes",
    {
        "postgres": postgres.volume,
        "redis": redis.volume,
        **backend.volumes,
        **monitoring.volumes,
        **guardian.volumes,
    },
)
pulumi.export("owner", stack.owner)
# Of the last update that went all the way: what a rotation starts from, and who has taken over.
pulumi.export("generations", {name: settings.generation(name) for name in settings.secret_names()})
pulumi.export(
    "accounts",
    {
        "postgres": postgres.role,
        "redis": redis.user,
        **({"postgres_monitoring": postgres.monitoring.name} if postgres.monitoring else {}),
        **({"redis_monitoring": redis.monitoring.name} if redis.monitoring else {}),
    },
)
pulumi.export("pin", {"release": settings.pin.release, "since": settings.pin.since} if settings.pin else None)
pulumi.export("lease", settings.lease.model_dump() if settings.lease else None)
