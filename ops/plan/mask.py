"""The one mask that everything of a plan goes through: no value of a secret of the state gets out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

from ops.plan.model import MASKED, StackPlan
from ops.plan.setting_changes import PASSWORD_IN_URL
from ops.state_check import SECRET_SIGNATURE

# Below this a value is a word like any other (a mode, a user id): only where it stands alone it is masked.
SHORTEST_PART = 6
Masked = TypeVar("Masked")


class Mask:
    """Knows the values of secrets, and takes them out of texts."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        known = {value for value in values if value}
        # The longest first: a value may hold another one.
        self._parts = sorted((value for value in known if len(value) >= SHORTEST_PART), key=len, reverse=True)

    def text(self, text: str) -> str:
        """A text without the values of secrets, and without passwords in URLs."""
        for part in self._parts:
            text = text.replace(part, MASKED)
        return PASSWORD_IN_URL.sub(MASKED, text)

    def plan(self, plan: StackPlan) -> StackPlan:
        """A plan with every text of it masked."""
        return self._inside(plan)

    def _inside(self, value: Masked) -> Masked:
        if isinstance(value, str):
            return self.text(value)  # type: ignore[return-value]
        if isinstance(value, tuple):
            return tuple(self._inside(part) for part in value)  # type: ignore[return-value]
        if isinstance(value, Enum) or not is_dataclass(value):
            return value
        inside = {field.name: self._inside(getattr(value, field.name)) for field in fields(value)}
        return replace(value, **inside)  # type: ignore[type-var]


def secret_values(deployment: Any) -> set[str]:
    """Every text of every secret in a deployment that was exported with its secrets in plain."""
    return set(_secrets(deployment))


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and SECRET_SIGNATURE in value:
        yield from _texts(_opened(value.get("plaintext")))
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _secrets(part)


def _opened(plain: Any) -> Any:
    try:
        return json.loads(plain)
    except (TypeError, ValueError):
        return plain


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        # A file's lines may be shown apart.
        yield from value.splitlines()
    elif isinstance(value, dict) and {"file", "content"} <= value.keys():
        # A file that is uploaded: where it lies is no secret.
        yield from _texts(value["content"])
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
