"""A secret of a stack: made once or set by the team, kept encrypted in the state."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from components.accounts import SLOTS, other_slot
from components.settings import SecretSettings


class _StackSecretProvider(ResourceProvider):
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        value = news.get("value")
        if isinstance(value, str) and len(value) < news["minimum_length"]:
            problem = f"it is too short: at least {int(news['minimum_length'])} characters are needed"
            return CheckResult(news, [CheckFailure("value", problem)])
        return CheckResult(news, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_=secrets.token_hex(8), outs=_made(props, previous="", slot=SLOTS[0]))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        given = news.get("value")
        rotated = olds["generation"] != news["generation"]
        return DiffResult(changes=rotated or (given is not None and given != olds["current"]))

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(outs=_made(news, previous=olds["current"], slot=other_slot(olds["slot"])))


def _made(props: dict[str, Any], previous: str, slot: str) -> dict[str, Any]:
    given = props.get("value")
    return {
        **props,
        "current": given if given is not None else _generate(int(props["length"])),
        "previous": previous,
        "version": secrets.token_hex(4),
        "slot": slot,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _generate(length: int) -> str:
    # URL-safe, so that a value can stand in a connection URL as it is.
    return secrets.token_urlsafe(length)[:length]


class StackSecret(Resource):
    """One secret value.

    Outputs: `current` and `previous` (empty before the first rotation), both secret, and `version`,
    a random tag that changes with the value and tells nothing of it. `slot` is "a" or "b", by turns
    with each value; `made_at` is when the value was made (ISO 8601).
    A `value` set by the team wins over a generated one. A higher `generation` makes a new value.
    """

    current: pulumi.Output[str]
    previous: pulumi.Output[str]
    version: pulumi.Output[str]
    slot: pulumi.Output[str]
    made_at: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: SecretSettings,
        value: pulumi.Output[str] | None = None,
        *,
        generation: int = 1,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        hidden = pulumi.ResourceOptions(additional_secret_outputs=["value", "current", "previous"])
        super().__init__(
            _StackSecretProvider(),
            name,
            {
                "name": name,
                "value": value,
                "length": settings.length,
                "minimum_length": settings.minimum_length,
                "generation": generation,
                "current": None,
                "previous": None,
                "version": None,
                "slot": None,
                "made_at": None,
            },
            pulumi.ResourceOptions.merge(hidden, opts),
        )
