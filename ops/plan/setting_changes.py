"""Which settings differ between two times, by their dotted names: `backend.limits.memory_mb`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.plan.model import MASKED

if TYPE_CHECKING:
    from components.settings import StackSettings

# Of a plain variable or argument, since somebody may have put a secret there all the same.
SECRET_LOOKING = re.compile(r"pass|secret|token|credential|(?:^|_)key|_url$", re.I)
PASSWORD_IN_URL = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]+(?=@)")
ABSENT = "not set"
LONGEST = 120


@dataclass(frozen=True)
class SettingChange:
    """One setting, before and now, as text."""

    path: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.path}: {self.old} → {self.new}"


def setting_changes(before: StackSettings | None, now: StackSettings) -> list[SettingChange]:
    """What differs, by name. Where nothing is known of before, nothing does."""
    if before is None:
        return []
    old, new = (
        dict(flatten(settings.model_dump(mode="json", exclude={"pin"}))) for settings in (before, now)
    )
    return [
        SettingChange(path, shown(path, old.get(path)), shown(path, new.get(path)))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]


def flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings as pairs of a dotted name and a value. What lies in a list by name is named so; an empty
    list is as good as none."""
    for key, value in settings.items():
        if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
            value = {part.get("name", str(number)): part for number, part in enumerate(value)}
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        elif value != []:
            yield f"{prefix}{key}", value


def shown(path: str, value: object) -> str:
    """A setting's value for people. Neither what may be a secret nor how long one is."""
    if value is None:
        return ABSENT
    if re.fullmatch(r"backend\.secrets\..+\.(minimum_)?length", path):
        return MASKED
    if re.match(r"backend\.(environment|build\.args)\.", path):
        return shown_variable(path.rpartition(".")[2], str(value))
    return shorten(" ".join(str(part) for part in value) if isinstance(value, list) else text_of(value))


def shown_variable(name: str, value: str) -> str:
    """A plain variable's value, unless it looks like a secret."""
    is_path = name.endswith("_FILE")
    return (
        MASKED if SECRET_LOOKING.search(name) and not is_path else shorten(PASSWORD_IN_URL.sub(MASKED, value))
    )


def text_of(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def shorten(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def settings_of(objects: Mapping[str, Mapping[str, Any]]) -> StackSettings | None:
    """The settings in force that an earlier update had; None where this toolkit cannot read them."""
    from pydantic import ValidationError

    from components.settings import StackSettings

    known = {key: value for key, value in objects.items() if key in StackSettings.model_fields}
    try:
        return StackSettings.model_validate(known).pinned()
    except ValidationError:
        return None
