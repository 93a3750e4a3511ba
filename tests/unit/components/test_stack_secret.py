from __future__ import annotations

from typing import Any

from components.stack_secret import _StackSecretProvider

INPUTS: dict[str, Any] = {
    "name": "jwt_secret",
    "value": None,
    "length": 48.0,
    "minimum_length": 32.0,
    "generation": 1.0,
}


def made(**changes: Any) -> dict[str, Any]:
    outputs = _StackSecretProvider().create({**INPUTS, **changes}).outs
    assert outputs is not None
    return dict(outputs)


def test_a_generated_value_has_the_length_and_never_repeats() -> None:
    values = {made()["current"] for _ in range(50)}
    assert len(values) == 50
    assert {len(value) for value in values} == {48}


def test_a_value_of_the_team_wins() -> None:
    assert made(value="t" * 40)["current"] == "t" * 40


def test_a_short_value_of_the_team_is_refused_without_showing_it() -> None:
    (failure,) = _StackSecretProvider().check({}, {**INPUTS, "value": "hunter2"}).failures
    assert "32 characters" in failure.reason
    assert "hunter2" not in failure.reason


def test_nothing_changed_is_no_difference() -> None:
    assert _StackSecretProvider().diff("id", made(), INPUTS).changes is False


def test_a_longer_length_alone_makes_no_new_value() -> None:
    assert _StackSecretProvider().diff("id", made(), {**INPUTS, "length": 64.0}).changes is False


def test_a_new_generation_makes_a_new_value_and_keeps_the_former() -> None:
    olds, news = made(), {**INPUTS, "generation": 2.0}
    provider = _StackSecretProvider()
    assert provider.diff("id", olds, news).changes is True
    rotated = provider.update("id", olds, news).outs
    assert rotated is not None
    assert rotated["previous"] == olds["current"]
    assert rotated["current"] != olds["current"]
    assert rotated["version"] != olds["version"]


def test_a_value_that_the_team_sets_later_is_a_rotation() -> None:
    olds = made()
    assert _StackSecretProvider().diff("id", olds, {**INPUTS, "value": "n" * 40}).changes is True


def test_a_value_that_the_team_takes_back_stays() -> None:
    olds = made(value="t" * 40)
    assert _StackSecretProvider().diff("id", olds, INPUTS).changes is False


def test_two_accounts_take_turns() -> None:
    provider, outputs, slots = _StackSecretProvider(), made(), []
    for generation in (2.0, 3.0, 4.0):
        slots.append(outputs["slot"])
        outputs = dict(provider.update("id", outputs, {**INPUTS, "generation": generation}).outs or {})
    assert [*slots, outputs["slot"]] == ["a", "b", "a", "b"]


def test_the_version_tells_nothing_of_the_value() -> None:
    assert made(value="t" * 40)["version"] != made(value="t" * 40)["version"]
