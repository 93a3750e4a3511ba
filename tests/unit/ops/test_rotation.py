from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components.settings import BackendSettings, SecretSettings, StackSettings
from ops.errors import ExitCode, OperationError
from ops.secrets.accounts import Retirement, retire_former
from ops.secrets.rotation import SecretInUse, choose, raised, secrets_in_use, too_soon
from ops.state import StackState

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SETTINGS = StackSettings(
    backend=BackendSettings(
        secrets={"jwt_secret": SecretSettings(previous=True), "api_key": SecretSettings(minimum_length=20)}
    )
)


def resource(name: str, **outputs: Any) -> dict[str, Any]:
    made = {"name": name, "generation": 1.0, "made_at": "2026-01-01T00:00:00+00:00", "current": "hidden"}
    return {"type": "pulumi-python:dynamic:Resource", "outputs": {**made, **outputs}}


STATE = StackState(
    resources=(
        {
            "type": "pulumi:pulumi:Stack",
            "outputs": {
                "accounts": {"postgres": "medianest_b", "redis": "backend_b"},
                "containers": {"postgres": ["pg"], "redis": ["rd"]},
            },
        },
        resource("jwt_secret", generation=2.0),
        resource("api_key", value="given"),
        resource("postgres_password"),
        resource("redis_password"),
        resource("backup_key"),
        resource("postgres_first_password"),
    )
)


def secret(name: str = "jwt_secret", generation: int = 1, **changes: Any) -> SecretInUse:
    options = {"made": NOW - timedelta(hours=1), "given": False, "former": True, "used_by": ("backend",)}
    return SecretInUse(name, generation, **{**options, **changes})


def test_secrets_are_known_by_name_and_age_and_never_by_value() -> None:
    found = {item.name: item for item in secrets_in_use(STATE, SETTINGS)}
    assert found.keys() == {"api_key", "backup_key", "jwt_secret", "postgres_password", "redis_password"}
    assert found["jwt_secret"].generation == 2
    assert found["jwt_secret"].age(NOW) == timedelta(days=1)
    assert found["api_key"].given
    assert found["redis_password"].used_by == ["backend", "redis"]
    assert "hidden" not in repr(found)


def test_what_the_stack_makes_itself_is_rotated_unless_named() -> None:
    known = secrets_in_use(STATE, SETTINGS)
    assert [item.name for item in choose([], known, "s")] == [
        "jwt_secret",
        "postgres_password",
        "redis_password",
    ]
    assert [item.name for item in choose(["jwt_secret"], known, "s")] == ["jwt_secret"]


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [("jwt_secre", "has no secret", "Did you mean jwt_secret"), ("api_key", "set by the team", "config set")],
)
def test_what_cannot_be_rotated_is_refused(name: str, message: str, hint: str) -> None:
    with pytest.raises(OperationError, match=message) as caught:
        choose([name], secrets_in_use(STATE, SETTINGS), "s")
    assert hint in caught.value.hint
    assert caught.value.code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("present", "deployed", "expected"),
    [
        ({}, {"jwt_secret": 1}, {"jwt_secret": 2}),
        ({"jwt_secret": 4}, {"jwt_secret": 4}, {"jwt_secret": 5}),
        # Cut off: what is in the file already is carried on with.
        ({"jwt_secret": 5}, {"jwt_secret": 4}, {"jwt_secret": 5}),
        ({"other": 3}, {}, {"other": 3, "jwt_secret": 2}),
    ],
)
def test_a_generation_is_one_more_than_what_is_deployed(
    present: dict[str, int], deployed: dict[str, int], expected: dict[str, int]
) -> None:
    assert raised(present, deployed, [secret()]) == expected


def test_a_second_rotation_within_a_day_is_told_of() -> None:
    assert too_soon([secret(generation=1)], NOW) == []
    (problem,) = too_soon([secret(generation=2)], NOW)
    assert "jwt_secret was rotated 1.0 h ago" in problem
    assert too_soon([secret(generation=2, made=NOW - timedelta(hours=25))], NOW) == []
    assert too_soon([secret("postgres_password", generation=2, former=False)], NOW) == []


class Services:
    """Stands in for psql and redis-cli: the former accounts are used for so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks = {"pg": looks, "rd": looks}
        self.told: list[str] = []

    def __call__(self, container: str, _command: list[str], given: str) -> str:
        self.told.append(given.strip())
        if given.startswith("ACL"):
            return "OK\nOK"
        used = self.looks[container] > 0
        self.looks[container] -= 1
        if container == "pg":
            return "3" if used else "0"
        return f"OK\nid=1 user={'backend_a' if used else 'backend_b'} resp=2"


def test_the_former_accounts_are_retired_when_nobody_uses_them() -> None:
    services = Services(looks=2)
    found = retire_former(STATE, SETTINGS, services, clock=lambda: 0.0, sleep=lambda _: None)
    assert found == [Retirement("postgres", "medianest_a", 0), Retirement("redis", "backend_a", 0)]
    assert services.told[-1] == "ACL DELUSER backend_a"


def test_an_account_that_is_in_use_stays() -> None:
    services = Services(looks=99)
    found = retire_former(STATE, SETTINGS, services, patience=0, sleep=lambda _: None)
    assert [(item.users, item.done) for item in found] == [(3, False), (1, False)]
    assert not any(line.startswith("ACL") for line in services.told)
