"""Settings of how a stack is run: its data, backups, checks, and how it goes about a deploy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.settings.base import Settings, UrlPath


class DataSettings(Settings):
    """The volumes of Postgres, Redis and the backend."""

    protected: bool = Field(
        True,
        description="Nothing deletes or replaces them: neither an update nor `pulumi destroy`, and `down` "
        "only with --delete-data. Stacks to throw away set it to false.",
    )


class BackupSettings(Settings):
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


class VerificationSettings(Settings):
    """What `verify` and `soak` run beside the toolkit's own checks, and what `health` asks of this backend.
    No part of a release."""

    paths: list[str] = Field(
        ["tests/stack/app"], description="pytest paths with checks of this backend; may be empty."
    )
    soak: dict[CheckName, Command] = Field(
        {name: ["python", "-m", "medianest.soak", name] for name in ("auth-cache", "memory", "workers")},
        description="Stability checks of this backend: a name, and the command in its image. May be empty."
        ' What such a command is given and has to tell: docs/contract.md, "Soak checks".',
    )
    token_check: UrlPath | None = Field(
        "/api/auth/test-jwt",
        description="POST: issues a token and verifies it, and answers 200; null where a backend has none.",
    )
    build_seconds: float = Field(180, gt=0, description="A build of the image that takes longer is too slow.")


class WatchSettings(Settings):
    """When a release that has just taken over is bad enough to go back to the one before."""

    seconds: float = Field(15.0, ge=0, le=3600, description="After the switch; 0 for no watch.")
    requests: int = Field(20, ge=1, description="Fewer in the minute before and since: nothing is judged.")
    error_percent: float = Field(5.0, gt=0, le=100, description="More failed requests than this, …")
    response_ms: int = Field(500, ge=1, description="… or slower than this (p95), …")
    slower: float = Field(3.0, gt=1, description="… and so many times slower than before.")


class DeploySettings(Settings):
    """How `./medianest up` goes about a new release."""

    watch: WatchSettings = WatchSettings()
    keep_releases: int = Field(
        5, ge=1, le=100, description="Images are kept for so many releases, to go back to them."
    )
