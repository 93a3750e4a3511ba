"""Typed settings of a stack: they validate, and they are the documentation.

Free of Pulumi, so that the command line can check a stack's settings before anything is started.
One object a component (`medianest:backend`, `medianest:gateway`, …); secrets lie flat beside them,
one key a secret, and are only accepted encrypted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

COMPONENT_KEYS = frozenset(
    {
        *("backend", "postgres", "redis", "gateway", "verification"),
        *("data", "backup", "deploy", "generations", "pin"),
    }
)
# File names that the toolkit writes into /run/secrets itself.
RESERVED_FILES = frozenset({"database_url", "redis_url"})

STACK_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
SECRET_NAME = re.compile(r"[a-z][a-z0-9_]{1,62}")

Identifier = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
UrlPath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./-]*$")]
Port = Annotated[int, Field(ge=1, le=65535)]
MemoryMb = Annotated[int, Field(ge=16)]


class SettingsError(ValueError):
    """Settings that cannot be used. `problems` holds one sentence each, never a secret's value."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)


class LimitSettings(_Settings):
    """What a container may use."""

    memory_mb: MemoryMb = Field(256, description="Memory in MB; the container has no swap on top of it.")
    cpus: float = Field(1.0, ge=0.1, multiple_of=0.1, description="Processor cores, in tenths.")
    pids: int = Field(200, ge=16, description="Processes and threads.")


class BuildSettings(_Settings):
    """How the backend's image is built."""

    context: str = Field("app", description="Build context, relative to the project's root.")
    dockerfile: str = Field("Dockerfile", description="Dockerfile, relative to the context.")
    target: str | None = Field("production", description="Stage to build; null for the last one.")
    args: dict[str, str] = Field({}, description="Build arguments. BASE_IMAGE is always set beside them.")
    cache_from: list[str] = Field([], description="Images of your own registry to take cached layers from.")

    @field_validator("context", "dockerfile")
    @classmethod
    def _inside_the_project(cls, path: str) -> str:
        if path.startswith("/") or ".." in path.split("/"):
            raise ValueError("must be a path below the project's root")
        return path


class HealthSettings(_Settings):
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


class SecretSettings(_Settings):
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
    "backup_key": SecretSettings(length=43, minimum_length=32, previous=True),
}


class VolumeSettings(_Settings):
    """A volume of the backend's, kept for the life of the stack and shared by its replicas."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./-]+$", description="Mount point in the container.")]


class BackendSettings(_Settings):
    """The backend that is deployed. The defaults are those of `app/`."""

    build: BuildSettings = BuildSettings()
    command: list[str] | None = Field(None, description="Instead of the image's command.")
    port: Port = Field(3000, description="The port that the backend listens on, in its container.")
    user: Annotated[str, Field(pattern=r"^[1-9][0-9]*$")] = Field(
        "1001", description="Numeric user id that runs it and owns its secret files."
    )
    replicas: int = Field(1, ge=1, le=50)
    health: HealthSettings = HealthSettings()
    drain_seconds: int = Field(
        15, ge=1, le=600, description="Between SIGTERM and SIGKILL: for not-ready, draining and stopping."
    )
    environment: dict[str, str] = Field({}, description="Plain variables. Never secrets.")
    secrets: dict[str, SecretSettings] = Field(
        {"jwt_secret": SecretSettings(length=64, minimum_length=32, previous=True)},
        description="Secrets of its own, by name. database_url and redis_url come with the services.",
    )
    volumes: list[VolumeSettings] = [VolumeSettings(name="media", path="/var/lib/medianest/media")]
    limits: LimitSettings = LimitSettings(memory_mb=512)
    keep_releases: int = Field(
        5, ge=1, le=100, description="Images are kept for so many releases, to go back to them."
    )

    @field_validator("secrets")
    @classmethod
    def _secret_names(cls, secrets: dict[str, SecretSettings]) -> dict[str, SecretSettings]:
        for name in secrets:
            if not SECRET_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a secret's name: lower case letters, digits and _")
            if name in COMPONENT_KEYS | RESERVED_FILES | SERVICE_SECRETS.keys():
                raise ValueError(f"{name!r} is taken by the toolkit")
        return secrets

    @model_validator(mode="after")
    def _no_secret_in_the_environment(self) -> BackendSettings:
        for name in self.environment:
            if name.lower() in self.secrets:
                raise ValueError(f"{name} is a secret: it reaches the backend as a file, not as a variable")
        return self


class PostgresSettings(_Settings):
    """The database."""

    image: str | None = Field(None, description="An official postgres image; null for our own.")
    database: Identifier = "medianest"
    user: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,50}$")] = Field(
        "medianest",
        description="The administrator. Backends log in as USER_a or USER_b, by turns with each rotation.",
    )
    max_connections: int = Field(100, ge=10)
    shared_buffers_mb: int = Field(64, ge=16)
    limits: LimitSettings = LimitSettings(memory_mb=512)


class RedisSettings(_Settings):
    """The cache."""

    image: str | None = Field(None, description="An official redis image; null for our own.")
    maxmemory_mb: int = Field(64, ge=8)
    maxmemory_policy: Literal["allkeys-lru", "allkeys-lfu", "volatile-lru", "volatile-lfu", "noeviction"] = (
        "allkeys-lru"
    )
    limits: LimitSettings = LimitSettings(memory_mb=192)


class GatewaySettings(_Settings):
    """The one container with a published port."""

    address: str = Field("127.0.0.1", description="Host address that the port is published on.")
    port: Port = Field(3000, description="Published port on the host.")
    internal_paths: list[UrlPath] = Field(["/metrics"], description="Answered with 404 from outside.")
    body_limit_mb: int = Field(25, ge=1, description="Largest request body.")
    connect_timeout_seconds: float = Field(
        0.5, gt=0, description="To a backend. Docker's DNS may name one that is gone: it must not cost long."
    )
    request_timeout_seconds: float = Field(10.0, gt=0, description="For a request's header to arrive.")
    response_timeout_seconds: float = Field(30.0, gt=0, description="For a backend to answer.")
    max_connections: int = Field(2000, ge=10)
    limits: LimitSettings = LimitSettings(memory_mb=128)


class DataSettings(_Settings):
    """The volumes of Postgres, Redis and the backend."""

    protected: bool = Field(
        True,
        description="Nothing deletes or replaces them: neither an update nor `pulumi destroy`, and `down` "
        "only with --delete-data. Stacks to throw away set it to false.",
    )


class BackupSettings(_Settings):
    """Backups of the database and of the backend's volumes."""

    schedule: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = Field(
        None, description="Time of day, HH:MM, local: `backup --due` makes one a day; null for none."
    )
    keep: int = Field(7, ge=1, description="So many verified backups are kept; older ones are removed.")
    directory: str | None = Field(
        None, description="Where backups go; null for backups/STACK in the user's state directory."
    )


CheckName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Command = Annotated[list[str], Field(min_length=1)]


class VerificationSettings(_Settings):
    """What `verify` and `soak` run beside the toolkit's own checks. No part of a release."""

    paths: list[str] = Field(
        ["tests/stack/app"], description="pytest paths with checks of this backend; may be empty."
    )
    soak: dict[CheckName, Command] = Field(
        {name: ["python", "-m", "medianest.soak", name] for name in ("auth-cache", "memory", "workers")},
        description="Stability checks of this backend: a name, and the command in its image. May be empty."
        ' What such a command is given and has to tell: docs/contract.md, "Soak checks".',
    )


class WatchSettings(_Settings):
    """When a release that has just taken over is bad enough to go back to the one before."""

    seconds: float = Field(15.0, ge=0, le=3600, description="After the switch; 0 for no watch.")
    requests: int = Field(20, ge=1, description="Fewer in the minute before and since: nothing is judged.")
    error_percent: float = Field(5.0, gt=0, le=100, description="More failed requests than this, …")
    response_ms: int = Field(500, ge=1, description="… or slower than this (p95), …")
    slower: float = Field(3.0, gt=1, description="… and so many times slower than before.")


class DeploySettings(_Settings):
    """How `./medianest up` goes about a new release."""

    watch: WatchSettings = WatchSettings()


class PinnedImage(_Settings):
    """An image of the engine's own: it cannot be pulled from anywhere."""

    name: str
    id: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class PinSettings(_Settings):
    """The earlier release that the stack is held at, whatever the tree says.

    `rollback` writes it, `up --unpin` takes it away. It stands in the settings so that a plain
    `pulumi up` keeps to it too.
    """

    release: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$", description="The release's id.")]
    since: str = Field(description="When it was pinned, in UTC.")
    image: PinnedImage
    content: str = Field(description="The hash of what the image was built from.")
    settings: BackendSettings = Field(description="The backend's settings of that release.")


class IdleSettings(_Settings):
    """What the tree's settings declare and the pinned release does not know: kept, but not used.

    Without it, going back would delete a newer release's volumes and generated secrets.
    """

    secrets: dict[str, SecretSettings] = {}
    volumes: list[VolumeSettings] = []


class StackSettings(_Settings):
    """All settings of one stack. `backend` has those in force: of the pinned release, where there is one."""

    backend: BackendSettings = BackendSettings()
    postgres: PostgresSettings = PostgresSettings()
    redis: RedisSettings = RedisSettings()
    gateway: GatewaySettings = GatewaySettings()
    verification: VerificationSettings = VerificationSettings()
    data: DataSettings = DataSettings()
    backup: BackupSettings = BackupSettings()
    deploy: DeploySettings = DeploySettings()
    generations: dict[str, Annotated[int, Field(ge=1)]] = Field(
        {}, description="By secret, 1 unless given: raise one to rotate it (`./medianest secrets rotate`)."
    )
    pin: PinSettings | None = None
    # No key of its own in a settings file: `load` works it out.
    idle: IdleSettings = Field(IdleSettings(), exclude=True)

    @model_validator(mode="after")
    def _generations_of_secrets(self) -> StackSettings:
        unknown = self.generations.keys() - self.backend.secrets.keys() - SERVICE_SECRETS.keys()
        if unknown:
            raise ValueError(f"generations: {', '.join(sorted(unknown))} is no secret of this stack")
        return self

    def secret_names(self) -> list[str]:
        """Every secret that can be rotated: the backend's own and those of the services."""
        return sorted({*self.backend.secrets, *self.idle.secrets, *SERVICE_SECRETS})

    def generation(self, secret: str) -> int:
        """How often a secret has been made, the first time included."""
        return self.generations.get(secret, 1)

    def pinned(self) -> StackSettings:
        """The settings in force: those of the pinned release, with the secrets and the size of today.

        Never a secret's former settings: a lower generation would make a new value. The backend's own
        checks are left out: they are those of the tree, which an earlier release need not pass.
        """
        if self.pin is None:
            return self
        today, then = self.backend, self.pin.settings
        in_force = then.model_copy(
            update={
                "replicas": today.replicas,
                "keep_releases": today.keep_releases,
                "secrets": {name: today.secrets.get(name, own) for name, own in then.secrets.items()},
            }
        )
        known = {volume.name for volume in then.volumes}
        idle = IdleSettings(
            secrets={name: own for name, own in today.secrets.items() if name not in then.secrets},
            volumes=[volume for volume in today.volumes if volume.name not in known],
        )
        checks = self.verification.model_copy(update={"paths": []})
        return self.model_copy(update={"backend": in_force, "idle": idle, "verification": checks})


def load(
    project: str,
    configuration: Mapping[str, Any],
    secret_keys: Collection[str],
) -> StackSettings:
    """Read a stack's settings from its Pulumi configuration.

    `configuration` maps full keys ("medianest:backend") to values: objects, or their JSON text as
    Pulumi hands it to a program. `secret_keys` names the keys that are encrypted. Keys of other
    namespaces (providers, `pulumi:`) are left alone.

    Raises SettingsError with every problem found.
    """
    own = {
        key.removeprefix(f"{project}:"): value
        for key, value in configuration.items()
        if key.startswith(f"{project}:")
    }
    encrypted = {key.removeprefix(f"{project}:") for key in secret_keys}
    problems = [
        f"setting {key} is encrypted, but only secrets may be: put it in plain"
        for key in sorted(own)
        if key in COMPONENT_KEYS and key in encrypted
    ]
    objects: dict[str, Any] = {}
    for key in sorted(own.keys() & COMPONENT_KEYS - encrypted):
        try:
            objects[key] = json.loads(own[key]) if isinstance(own[key], str) else own[key]
        except json.JSONDecodeError:
            problems.append(f"setting {key} must be an object, not a text")
    settings = StackSettings()
    try:
        settings = StackSettings.model_validate(objects).pinned()
    except ValidationError as error:
        problems += [_describe(detail) for detail in error.errors()]
    declared = settings.backend.secrets.keys() | settings.idle.secrets.keys() | SERVICE_SECRETS.keys()
    for key in sorted(own.keys() - COMPONENT_KEYS):
        if key not in declared:
            known = ", ".join(sorted(COMPONENT_KEYS | declared))
            problems.append(f"setting {key} is not known; known are {known}")
        elif key not in encrypted:
            problems.append(
                f"secret {key} is in plain text: set it again with `pulumi config set --secret {key}`"
            )
    if problems:
        raise SettingsError(problems)
    return settings


def check_secret(name: str, value: str, minimum_length: int) -> None:
    """Refuse a secret that the team has set too short. Raises SettingsError without its value."""
    if len(value) < minimum_length:
        raise SettingsError([f"secret {name} is too short: it needs at least {minimum_length} characters"])


def check_stack_name(stack: str) -> None:
    """A stack's name is part of names on the engine. Raises SettingsError."""
    if not STACK_NAME.fullmatch(stack):
        raise SettingsError(
            [f"stack name {stack!r} cannot be used: 2 to 40 lower case letters, digits and -, a letter first"]
        )


def _describe(detail: Any) -> str:
    path = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"setting {path} is not known"
    if detail["type"] == "value_error":
        return f"setting {path}: {detail['ctx']['error']}"
    message = detail["msg"]
    return f"setting {path}: {message[0].lower()}{message[1:]}"
