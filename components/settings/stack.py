"""All settings of one stack, and how they are read."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from components.settings.backend import COMPONENT_KEYS, SERVICE_SECRETS, BackendSettings
from components.settings.base import STACK_NAME, Settings, SettingsError
from components.settings.environments import EnvironmentsSettings
from components.settings.guardian import GuardianSettings
from components.settings.lease import LeaseSettings
from components.settings.monitoring import TEAM_SECRETS, MonitoringSettings
from components.settings.operation import (
    BackupSettings,
    DataSettings,
    DeploySettings,
    VerificationSettings,
)
from components.settings.pin import IdleSettings, PinSettings
from components.settings.services import GatewaySettings, PostgresSettings, RedisSettings


class StackSettings(Settings):
    """All settings of one stack. `backend` has those in force: of the pinned release, where there is one."""

    backend: BackendSettings = BackendSettings()
    postgres: PostgresSettings = PostgresSettings()
    redis: RedisSettings = RedisSettings()
    gateway: GatewaySettings = GatewaySettings()
    verification: VerificationSettings = VerificationSettings()
    data: DataSettings = DataSettings()
    backup: BackupSettings = BackupSettings()
    deploy: DeploySettings = DeploySettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    guardian: GuardianSettings = GuardianSettings()
    generations: dict[str, Annotated[int, Field(ge=1)]] = Field(
        {}, description="By secret, 1 unless given: raise one to rotate it (`./medianest secrets rotate`)."
    )
    pin: PinSettings | None = None
    environments: EnvironmentsSettings = EnvironmentsSettings()
    lease: LeaseSettings | None = None
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
    declared = TEAM_SECRETS | settings.backend.secrets.keys() | settings.idle.secrets.keys()
    declared |= SERVICE_SECRETS.keys()
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
