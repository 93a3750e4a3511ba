"""Settings of the backend: how it is built, what it is given, how its health is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from components.settings.base import SECRET_NAME, LimitSettings, Port, ProjectPath, Settings, UrlPath
from components.settings.monitoring import TEAM_SECRETS

COMPONENT_KEYS = frozenset(
    {
        *("backend", "postgres", "redis", "gateway", "verification"),
        *("data", "backup", "deploy", "monitoring", "guardian", "generations", "pin"),
        *("environments", "lease"),
    }
)
# By which the guardian is known to backends, and Alertmanager to it: a secret, and the name of its file.
GUARDIAN_TOKEN = "guardian_token"  # noqa: S105 - a name
# By which people get into the dashboard.
DASHBOARD_PASSWORD = "dashboard_password"  # noqa: S105 - a name
# File names that the toolkit writes into SECRETS_DIRECTORY itself.
RESERVED_FILES = frozenset({"database_url", "redis_url", GUARDIAN_TOKEN})


class BuildSettings(Settings):
    """How the backend's image is built."""

    context: ProjectPath = Field("app", description="Build context, relative to the project's root.")
    dockerfile: ProjectPath = Field("Dockerfile", description="Dockerfile, relative to the context.")
    target: str | None = Field("production", description="Stage to build; null for the last one.")
    args: dict[str, str] = Field({}, description="Build arguments. BASE_IMAGE is always set beside them.")
    cache_from: list[str] = Field([], description="Images of your own registry to take cached layers from.")


class HealthSettings(Settings):
    """Where the backend tells of its health, and how often it is asked."""

    live: UrlPath = Field("/api/health/live", description="Answers 200 while the process works; does no I/O.")
    ready: UrlPath = Field("/api/health/ready", description="Answers 200 while it can serve requests.")
    report: UrlPath = Field("/api/health", description="The full document, for people and checks.")
    command: list[str] | None = Field(
        None, description="Probe inside the container; null for http-probe (of the base image) on `ready`."
    )
    interval_seconds: float = Field(
        2.0, ge=0.5, description="Between two probes of a container; one costs the engine about 0.1 s."
    )
    timeout_seconds: float = Field(2.0, ge=0.5, description="Of one probe.")
    retries: int = Field(3, ge=1, description="Failed probes in a row that make a container unhealthy.")
    start_seconds: int = Field(60, ge=1, description="A start may take so long before it has failed.")


class SecretSettings(Settings):
    """A secret that the backend reads from /run/secrets/NAME.

    Its value is the configuration secret `medianest:NAME` where the team has set one, else it is
    generated once and kept encrypted in the state.
    """

    length: int = Field(48, ge=16, le=512, description="Characters of a generated value.")
    minimum_length: int = Field(16, ge=1, description="A value that the team sets is refused below this.")
    previous: bool = Field(
        False, description="After a rotation hand over the former value too, as NAME_previous."
    )


# Secrets of the services themselves: a team may set them as it may its backend's.
SERVICE_SECRETS: Mapping[str, SecretSettings] = {
    "postgres_password": SecretSettings(length=40),
    "redis_password": SecretSettings(length=40),
    # 43 characters of base64 are 256 bits.
    "backup_key": SecretSettings(length=43, minimum_length=32),
    # Of a stack that is watched (`monitoring.enabled`).
    "postgres_monitoring_password": SecretSettings(length=40),
    "redis_monitoring_password": SecretSettings(length=40),
    GUARDIAN_TOKEN: SecretSettings(length=48, minimum_length=32),
    DASHBOARD_PASSWORD: SecretSettings(length=24, minimum_length=16),
}


class VolumeSettings(Settings):
    """A volume of the backend's, kept for the life of the stack and shared by its replicas."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$", description="Unique in the stack.")]
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./-]+$", description="Mount point in the container.")]


class HealingSettings(Settings):
    """What the guardian may ask of each replica, with the token of the secret file `guardian_token`."""

    restart_workers: UrlPath | None = Field(
        "/internal/workers/restart",
        description="POST: replaces the worker processes; null for a restart of the backend instead.",
    )
    stack_dump: UrlPath | None = Field(
        "/internal/stack", description="GET: what threads and tasks are at, as text, for the evidence."
    )


class BackendSettings(Settings):
    """The backend that is deployed. The defaults are those of `app/`."""

    build: BuildSettings = BuildSettings()
    command: list[str] | None = Field(None, description="Instead of the image's command.")
    port: Port = Field(3000, description="The port that the backend listens on, in its container.")
    user: Annotated[str, Field(pattern=r"^[1-9][0-9]*$")] = Field(
        "1001", description="Numeric user id that runs it and owns its secret files."
    )
    replicas: int = Field(1, ge=1, le=50, description="Containers that serve side by side.")
    health: HealthSettings = HealthSettings()
    healing: HealingSettings = HealingSettings()
    drain_seconds: int = Field(
        15, ge=1, le=600, description="Between SIGTERM and SIGKILL: for not-ready, draining and stopping."
    )
    environment: dict[str, str] = Field({}, description="Plain variables. Never secrets.")
    secrets: dict[str, SecretSettings] = Field(
        {"jwt_secret": SecretSettings(length=64, minimum_length=32, previous=True)},
        description="Secrets of its own, by name. database_url and redis_url come with the services.",
    )
    volumes: list[VolumeSettings] = Field(
        [VolumeSettings(name="media", path="/var/lib/medianest/media")],
        description="What it keeps on disk, for all its replicas.",
    )
    limits: LimitSettings = LimitSettings(memory_mb=512)

    @field_validator("secrets")
    @classmethod
    def _secret_names(cls, secrets: dict[str, SecretSettings]) -> dict[str, SecretSettings]:
        for name in secrets:
            if not SECRET_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a secret's name: lower case letters, digits and _")
            if name in COMPONENT_KEYS | RESERVED_FILES | TEAM_SECRETS | SERVICE_SECRETS.keys():
                raise ValueError(f"{name!r} is taken by the toolkit")
        return secrets

    @model_validator(mode="after")
    def _no_secret_in_the_environment(self) -> BackendSettings:
        for name in self.environment:
            if name.lower() in self.secrets:
                raise ValueError(f"{name} is a secret: it reaches the backend as a file, not as a variable")
        return self
