"""Containers that the command line makes beside a stack's: by the same rules as those of the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.hardening.kinds import Kind, refuse_to_create

if TYPE_CHECKING:
    from docker import APIClient
    from docker.types import LogConfig


def rotated_log() -> LogConfig:
    """A log that cannot fill the disk."""
    from docker.types import LogConfig

    return LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"})


def create(api: APIClient, kind: Kind, *, name: str | None = None, **declaration: Any) -> str:
    """Create a container of a kind, with the arguments of the SDK's `create_container`. Returns its id.

    Raises HardeningError where it breaks a rule of its kind, and has asked the engine for nothing then.
    """
    config = api.create_container_config(**declaration)
    refuse_to_create(kind, name or kind.name, config)
    made = api.create_container_from_config(config, name)  # type: ignore[no-untyped-call]
    return str(made["Id"])
