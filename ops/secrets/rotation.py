"""What a rotation is to change, decided from what is deployed. No value of a secret is ever looked at."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ops.errors import ExitCode, OperationError
from ops.names import DYNAMIC

if TYPE_CHECKING:
    from components.settings import StackSettings
    from ops.state import StackState

# What was made with a value lives on for so long, as a rule: a session, a signed link.
GRACE = timedelta(hours=24)
# Rotated only when it is named: what it has sealed before needs the former value.
ONLY_BY_NAME = frozenset({"backup_key"})


@dataclass(frozen=True)
class SecretInUse:
    """A secret as the state knows it, without its value. `former` says that the one before is kept too."""

    name: str
    generation: int
    made: datetime | None
    given: bool
    former: bool
    used_by: Sequence[str]

    def age(self, now: datetime) -> timedelta | None:
        return None if self.made is None else now - self.made


def secrets_in_use(state: StackState, settings: StackSettings) -> list[SecretInUse]:
    """The secrets of a deployed stack, by name."""
    made = {
        resource["outputs"].get("name"): resource["outputs"]
        for resource in state.resources
        if resource["type"] == DYNAMIC and "made_at" in (resource.get("outputs") or {})
    }
    return [
        SecretInUse(
            name=name,
            generation=int(outputs["generation"]),
            made=_time(outputs.get("made_at")),
            given=outputs.get("value") is not None,
            former=name in settings.backend.secrets and settings.backend.secrets[name].previous,
            used_by=users(name, settings),
        )
        for name in settings.secret_names()
        if (outputs := made.get(name)) is not None
    ]


def users(name: str, settings: StackSettings) -> list[str]:
    """Which components read a secret."""
    if name == "postgres_password":
        return ["backend", "postgres"]
    if name == "redis_password":
        return ["backend", "redis"]
    if name.endswith("_monitoring_password"):
        service = name.removesuffix("_monitoring_password")
        return [service, f"{service}-exporter"]
    if name == "guardian_token":
        return ["alertmanager", "backend", "guardian"]
    if name == "dashboard_password":
        return ["guardian"]
    if name in ONLY_BY_NAME:
        return ["backup"]
    return ["backend"] if name in settings.backend.secrets else []


def choose(wanted: Collection[str], known: Sequence[SecretInUse], stack: str) -> list[SecretInUse]:
    """The secrets to rotate: those named, or all that the stack makes itself and backends read.

    Raises OperationError for a name that is none, or a secret whose value the team sets.
    """
    by_name = {secret.name: secret for secret in known}
    for name in wanted:
        if name not in by_name:
            near = difflib.get_close_matches(name, by_name, n=1, cutoff=0.5)
            question = f"Did you mean {near[0]}? " if near else ""
            raise OperationError(
                f"stack {stack} has no secret {name}",
                f"{question}Its secrets: {', '.join(sorted(by_name))}.",
                ExitCode.USAGE,
            )
        if by_name[name].given:
            raise OperationError(
                f"secret {name} is set by the team, so no value can be made for it",
                f"Set a new one: pulumi config set --secret {name} -s {stack}. Then: ./medianest up {stack}",
                ExitCode.USAGE,
            )
    if wanted:
        return [secret for secret in known if secret.name in wanted]
    return [secret for secret in known if not secret.given and secret.name not in ONLY_BY_NAME]


def raised(
    present: Mapping[str, Any], deployed: Mapping[str, Any], chosen: Sequence[SecretInUse]
) -> dict[str, int]:
    """The generations that the settings are to have.

    One more than what is deployed all the way: a rotation that was cut off is carried on with, since
    another new value would push out one that is still in use.
    """
    raised = {secret.name: int(deployed.get(secret.name, 1)) + 1 for secret in chosen}
    return {**{name: int(value) for name, value in present.items()}, **raised}


def too_soon(chosen: Sequence[SecretInUse], now: datetime) -> list[str]:
    """What would be cut off: of a secret with a former value, the one before that goes."""
    found = []
    for secret in chosen:
        age = secret.age(now)
        if secret.former and secret.generation > 1 and age is not None and age < GRACE:
            hours = age.total_seconds() / 3600
            found.append(
                f"{secret.name} was rotated {hours:.1f} h ago: what was made with the value before that, "
                "and is younger than its own lifetime, stops working"
            )
    return found


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if isinstance(text, str) else None
