from typing import Any

import pytest
from medianest import cache, database
from medianest.secret_source import SecretSource
from medianest.secrets_validator import (
    SecretRule,
    Secrets,
    SecretsError,
    SecretsValidator,
    ValidationState,
    looks_like_placeholder,
    problem_with,
)

GOOD = "kQ3vZ8pR1tYw6uXe2sBn9mLc4hJf7gDa0"
RULE = SecretRule("jwt_secret", minimum_length=32)


class Pauses:
    """In place of sleeping: counts, and lets something happen after some pauses."""

    def __init__(self, environment: dict[str, str] | None = None, after: int = 0) -> None:
        self.seconds: list[float] = []
        self._environment = environment
        self._after = after

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if self._environment is not None and len(self.seconds) == self._after:
            self._environment["JWT_SECRET"] = GOOD


def validator(environment: dict[str, str], pauses: Pauses | None = None) -> SecretsValidator:
    return SecretsValidator([RULE], SecretSource(environment), sleep=pauses or Pauses())


async def test_success_is_logged_in_the_agreed_words(logged: list[dict[str, Any]]) -> None:
    validation = validator({"JWT_SECRET": GOOD})
    states = [validation.state]
    secrets = await validation.validate()
    states.append(validation.state)
    assert secrets["jwt_secret"] == GOOD
    assert states == [ValidationState.PENDING, ValidationState.VALIDATED]
    assert [event["event"] for event in logged] == ["Secrets validation completed successfully"]


async def test_a_secret_that_comes_late_is_waited_for() -> None:
    environment: dict[str, str] = {}
    pauses = Pauses(environment, after=9)
    await validator(environment, pauses).validate()
    assert pauses.seconds == [1.0] * 9


async def test_after_ten_tries_the_missing_secret_is_named() -> None:
    pauses = Pauses()
    validation = validator({}, pauses)
    with pytest.raises(SecretsError) as caught:
        await validation.validate()
    assert caught.value.problems == [
        "secret jwt_secret is missing: put it into the file that JWT_SECRET_FILE names, or into JWT_SECRET"
    ]
    assert len(pauses.seconds) == 9
    assert validation.state is ValidationState.FAILED


async def test_a_weak_secret_fails_at_once_and_its_value_is_not_told(logged: list[dict[str, Any]]) -> None:
    pauses = Pauses()
    with pytest.raises(SecretsError) as caught:
        await validator({"JWT_SECRET": "shortvalue"}, pauses).validate()
    assert caught.value.problems == ["secret jwt_secret is too short: at least 32 characters are needed"]
    assert pauses.seconds == []
    assert "shortvalue" not in str(caught.value) + repr(logged)


async def test_an_optional_secret_may_be_absent_but_not_weak() -> None:
    rule = SecretRule("jwt_secret_previous", 32, required=False)
    absent = await SecretsValidator([rule], SecretSource({})).validate()
    assert absent.get("jwt_secret_previous") is None
    with pytest.raises(SecretsError, match="jwt_secret_previous is too short"):
        await SecretsValidator([rule], SecretSource({"JWT_SECRET_PREVIOUS": "abc"})).validate()


async def test_a_secret_that_cannot_be_read_fails(tmp_path: Any) -> None:
    with pytest.raises(SecretsError, match="cannot read"):
        await validator({"JWT_SECRET_FILE": str(tmp_path)}).validate()


async def test_queued_validations_run_in_their_order_once_the_secrets_are_there() -> None:
    validation = validator({"JWT_SECRET": GOOD})
    seen: list[str] = []
    validation.when_validated(lambda secrets: seen.append("first " + secrets["jwt_secret"]))
    validation.when_validated(lambda secrets: seen.append("second " + secrets["jwt_secret"]))
    assert seen == []
    await validation.validate()
    assert seen == [f"first {GOOD}", f"second {GOOD}"]
    validation.when_validated(lambda _: seen.append("at once"))
    assert seen[-1] == "at once"


async def test_a_queued_validation_that_fails_fails_the_whole() -> None:
    validation = validator({"JWT_SECRET": GOOD})

    def refuse(_secrets: Secrets) -> None:
        raise SecretsError(["secret jwt_secret is refused by the token service"])

    validation.when_validated(refuse)
    with pytest.raises(SecretsError, match="refused by the token service"):
        await validation.validate()
    assert validation.state is ValidationState.FAILED
    seen: list[Secrets] = []
    validation.when_validated(seen.append)
    assert seen == []


def test_secrets_do_not_show_in_their_representation() -> None:
    assert repr(Secrets({"jwt_secret": GOOD, "a": "value"})) == "Secrets(a, jwt_secret)"


@pytest.mark.parametrize(
    "value",
    [
        "changeme",
        "Change-Me-in-production-please-please",
        "secret",
        "password123",
        "your_jwt_secret_goes_here",
        "<generate one>",
        "${JWT_SECRET}",
        "placeholder-placeholder-placeholder",
        "TODO",
    ],
)
def test_placeholders_are_recognised(value: str) -> None:
    assert looks_like_placeholder(value)
    assert problem_with(RULE, value) == "is a placeholder: set a random value"


@pytest.mark.parametrize("value", [GOOD, "Xtodo7passwordQsecretY", "correct horse battery staple"])
def test_other_values_are_no_placeholders(value: str) -> None:
    assert not looks_like_placeholder(value)


def test_a_long_value_of_few_characters_is_too_simple() -> None:
    assert problem_with(RULE, "ab" * 20) == "is too simple: at least 8 different characters are needed"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://user:x7Kq2@postgres:5432/medianest", None),
        ("postgres://user@host/db", None),
        ("mysql://user:x7Kq2@host/db", "is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE"),
        ("postgresql:///db", "is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE"),
        (
            "postgresql://user:100%zz@host/db",
            "is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
        ),
        ("postgresql://user:changeme@host/db", "has a placeholder as its password: set a random value"),
    ],
)
def test_a_database_url_is_checked(url: str, problem: str | None) -> None:
    assert problem_with(SecretRule("database_url", check=database.problem_with_url), url) == problem


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://backend:x7Kq2@redis:6379/0", None),
        ("redis://redis", None),
        ("http://redis:6379", "is not of the form redis://USER:PASSWORD@HOST:PORT/0"),
        ("redis://", "is not of the form redis://USER:PASSWORD@HOST:PORT/0"),
        ("redis://redis:port/0", "is not of the form redis://USER:PASSWORD@HOST:PORT/0"),
        ("redis://user:password@redis:6379", "has a placeholder as its password: set a random value"),
    ],
)
def test_a_redis_url_is_checked(url: str, problem: str | None) -> None:
    assert problem_with(SecretRule("redis_url", check=cache.problem_with_url), url) == problem
