"""How long something lives, as people write it: 30m, 24h, 7d."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ops.errors import ExitCode, OperationError

UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
FORMAT = "%Y-%m-%dT%H:%M:%SZ"
SHORTEST = timedelta(minutes=1)


def read_duration(text: str, longest: timedelta | None = None) -> timedelta:
    """A duration in minutes, hours or days. Raises OperationError for any other text, and a longer one."""
    match = re.fullmatch(r"([0-9]{1,5})([mhd])", text.strip())
    if match is None:
        raise OperationError(
            f"{text[:40]!r} is no duration", "Write minutes, hours or days: 30m, 24h, 7d.", ExitCode.USAGE
        )
    duration = int(match[1]) * UNITS[match[2]]
    if duration < SHORTEST:
        raise OperationError(
            f"{text} would be over before it began", "At least one minute: 1m.", ExitCode.USAGE
        )
    if longest is not None and duration > longest:
        raise OperationError(
            f"{text} is too long: an environment may live for {in_words(longest)}",
            "Extend it later (./medianest env extend NAME), or change the setting environments.longest.",
            ExitCode.USAGE,
        )
    return duration


def in_words(duration: timedelta) -> str:
    """The two largest units: 2 d 3 h, 23 h 59 min, 12 min."""
    minutes = max(0, int(duration.total_seconds() // 60))
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    said = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(said[:2]) or "less than a minute"


def written(moment: datetime) -> str:
    """A time as a lease has it."""
    return moment.astimezone(UTC).strftime(FORMAT)


def read_time(text: str) -> datetime | None:
    """A time of a lease or of the engine; None for what is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
