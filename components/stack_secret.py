"""A secret of a stack: made once or set by the team, kept encrypted in the state."""

from __future__ import annotations

import secrets
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

from components.settings import SecretSettings


class _StackSecretProvider(ResourceProvider):
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        value = news.get("value")
        if isinstance(value, str) and len(value) < news["minimum_length"]:
            problem = f"it is too short: at least {int(news['minimum_length'])} characters are needed"
            return CheckResult(news, [CheckFailure("value", problem)])
        return CheckResult(news, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_=secrets.token_hex(8), outs=_made(props, previous=""))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        given = news.get("value")
        changed = olds["generation"] != news["generation"] or (given is not None and given != olds["current"])
        if changed and not news["rotates"]:
            raise RuntimeError(
                f"{news['name']} cannot be changed while the service that checks it lives: "
                "put its former value or generation back"
            )
        return DiffResult(changes=changed)

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(outs=_made(news, previous=olds["current"]))


def _made(props: dict[str, Any], previous: str) -> dict[str, Any]:
    given = props.get("value")
    return {
        **props,
        "current": given if given is not None else _generate(int(props["length"])),
        "previous": previous,
        "version": secrets.token_hex(4),
    }


def _generate(length: int) -> str:
    # URL-safe, so that a value can stand in a connection URL as it is.
    return secrets.token_urlsafe(length)[:length]


class StackSecret(Resource):
    """One secret value.

    Outputs: `current` and `previous` (empty before the first rotation), both secret, and `version`,
    a random tag that changes with the value and tells nothing of it.
    A `value` set by the team wins over a generated one. `rotates=False` refuses every later change.
    """

    current: pulumi.Output[str]
    previous: pulumi.Output[str]
    version: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: SecretSettings,
        value: pulumi.Output[str] | None = None,
        *,
        rotates: bool = True,
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
                "generation": settings.generation,
                "rotates": rotates,
                "current": None,
                "previous": None,
                "version": None,
            },
            pulumi.ResourceOptions.merge(hidden, opts),
        )
