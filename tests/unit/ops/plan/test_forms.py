"""The forms for people and for machines, and what the command ends with."""

from __future__ import annotations

import json

import pytest

from ops.plan.command import Format, rendered
from ops.plan.document import document, exit_code
from ops.plan.model import Drift, Effect, StackPlan
from ops.plan.words import clean, headline
from tests.unit.ops.plan.plans import GATEWAY, VOLUME, change, plan

SECRET = change(effect=Effect(secrets=("jwt_secret",)))


@pytest.mark.parametrize(
    ("plans", "code"),
    [
        ([plan()], 0),
        ([plan(drift=(Drift("x", "gone"),))], 0),
        ([plan(change())], 2),
        ([plan(SECRET), plan()], 2),
        ([plan(), plan(GATEWAY)], 3),
        ([plan(VOLUME)], 3),
        ([plan(GATEWAY), plan(problem="no")], 1),
    ],
)
def test_the_exit_code_is_that_of_the_worst(plans: list[StackPlan], code: int) -> None:
    assert exit_code(plans) == code
    assert document(plans)["code"] == code


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (plan(), "no change (30 resources)"),
        (plan(change(), change()), "2 to replace, 30 unchanged"),
        (plan(VOLUME, GATEWAY), "1 to replace, 1 to delete, 30 unchanged; DELETES DATA"),
        (plan(GATEWAY), "1 to replace, 30 unchanged; interrupts"),
        (plan(problem="x"), "preview failed"),
    ],
)
def test_the_headline_says_all_in_one_line(shown: StackPlan, expected: str) -> None:
    assert headline(shown) == expected


def test_the_document_names_dangers_and_actions() -> None:
    (stack,) = json.loads(rendered([plan(GATEWAY)], Format.JSON, None))["stacks"]
    assert (stack["project"], stack["stack"], stack["danger"]) == ("medianest", "staging", "interruption")
    (found,) = stack["changes"]
    assert found["action"] == "replace"
    assert found["effect"]["danger"] == "interruption"
    assert found["effect"]["interruption"]["seconds"] == 90


def test_people_get_a_table_and_markup_of_values_does_nothing() -> None:
    odd = change(name="[red]odd[/red]", reasons=("\x1b[31mred",))
    shown = rendered([plan(odd, VOLUME, problem=""), plan(problem="no engine\ntry it")], Format.TEXT, 200)
    assert "[red]odd[/red]" in shown
    assert "\x1b" not in shown
    assert "DELETES DATA: everything in volume backend-media" in shown
    assert "medianest/staging: preview failed" in shown
    assert "  try it" in shown


def test_several_stacks_are_a_section_each() -> None:
    shown = rendered([plan(), plan(GATEWAY)], Format.MARKDOWN, None)
    assert shown.count("### `medianest/staging`") == 2


def test_control_characters_are_gone() -> None:
    assert clean("a\x1b]8;;http://x\x07b\x1b[1m \n c\x00\u200e") == "ab c"
