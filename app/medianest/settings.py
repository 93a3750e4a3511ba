"""What the environment says about this process. Secrets are not here: see secret_source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

USERNAME = re.compile(r"^[A-Za-z0-9._@+-]{1,64}$")


class SettingsError(ValueError):
    """A variable that cannot be used. The message names it and says what is expected."""


@dataclass(frozen=True)
class Settings:
    """Read once, at start. `drain_seconds` lies between SIGTERM and SIGKILL. `workers` is how many
    worker processes there are, None for as many as suit the cores; `worker_memory_mb` is what each of
    them may hold. A picture may have `media_largest_mb`, and `media_queue_limit` of them may wait to be
    processed."""

    port: int
    drain_seconds: float
    stack: str
    release: str
    demo_user: str | None
    workers: int | None = None
    worker_memory_mb: int = 100
    media_directory: Path = Path("/var/lib/medianest/media")
    media_largest_mb: int = 20
    media_queue_limit: int = 100
    docs: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Raises SettingsError."""
        demo_user = environment.get("DEMO_USER", "").strip() or None
        if demo_user is not None and not USERNAME.match(demo_user):
            raise SettingsError("DEMO_USER must be 1 to 64 letters, digits or . _ @ + -")
        return cls(
            port=int(_number(environment, "PORT", default=3000, least=1, most=65535)),
            drain_seconds=_number(environment, "DRAIN_SECONDS", default=15, least=1, most=600),
            stack=environment.get("STACK", "development"),
            release=environment.get("RELEASE", "development"),
            demo_user=demo_user,
            workers=int(_number(environment, "WORKERS", default=0, least=1, most=64)) or None,
            worker_memory_mb=int(_number(environment, "WORKER_MEMORY_MB", default=100, least=32, most=65536)),
            media_directory=Path(environment.get("MEDIA_DIRECTORY", "").strip() or cls.media_directory),
            media_largest_mb=int(_number(environment, "MEDIA_LARGEST_MB", default=20, least=1, most=1024)),
            media_queue_limit=int(
                _number(environment, "MEDIA_QUEUE_LIMIT", default=100, least=1, most=1_000_000)
            ),
            docs=_yes_or_no(environment, "DOCS"),
        )


def _number(environment: Mapping[str, str], name: str, default: float, least: int, most: int) -> float:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or not least <= int(text) <= most:
        raise SettingsError(f"{name} must be a whole number from {least} to {most}, not {text[:20]!r}")
    return int(text)


def _yes_or_no(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").strip().lower()
    if text not in ("", "true", "false"):
        raise SettingsError(f"{name} must be true or false, not {text[:20]!r}")
    return text == "true"
