"""The form of checks: levels at their borders, what holds, and how it is told."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from ops.checks import Check, Level, all_hold, level_falling, level_of, shown, summary

OK, WARN = Check("a", Level.OK, "1"), Check("b", Level.WARN, "2", evidence=["because"], next_step="do [this]")
CRITICAL, UNKNOWN = Check("c", Level.CRITICAL, "3"), Check("d", Level.UNKNOWN, "not known")


@pytest.mark.parametrize(
    ("value", "level"), [(10, Level.OK), (10.1, Level.WARN), (50, Level.WARN), (50.1, Level.CRITICAL)]
)
def test_a_figure_that_rises(value: float, level: Level) -> None:
    assert level_of(value, 10, 50) is level
    assert level_falling(-value, -10, -50) is level


def test_a_warning_holds_and_what_is_not_known_does_not() -> None:
    assert all_hold([OK, WARN])
    assert not all_hold([OK, CRITICAL])
    assert not all_hold([OK, UNKNOWN])
    assert not all_hold([])
    assert summary([OK, OK, UNKNOWN]) == "2 ok, 1 unknown"
    assert summary([]) == "nothing checked"


def test_what_does_not_hold_comes_with_its_reason_and_the_next_step() -> None:
    console = Console(width=100)
    with console.capture() as captured:
        console.print(*shown([OK, WARN]))
    said = captured.get()
    assert "b: warn\n  because\n  → do [this]\n" in said
    assert "a: ok" not in said


def test_a_check_for_machines() -> None:
    assert json.loads(json.dumps(WARN.as_json())) == {
        "name": "b",
        "level": "warn",
        "figure": "2",
        "threshold": "",
        "evidence": ["because"],
        "next_step": "do [this]",
        "value": None,
        "unit": "",
        "holds": True,
    }
