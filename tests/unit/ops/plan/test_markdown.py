from __future__ import annotations

import re

import pytest

from ops.plan.markdown import code, render, text
from ops.plan.model import Difference, Drift
from tests.unit.ops.plan.plans import GATEWAY, VOLUME, change, plan

# Cells end at a bar that is not escaped.
BAR = re.compile(r"(?<!\\)\|")


def rows(markdown: str) -> list[str]:
    return [line for line in markdown.splitlines() if line.startswith("| ")]


def test_no_change_is_one_line() -> None:
    assert render(plan()) == "### `medianest/staging`: no change \\(30 resources\\)\n"


def test_a_change_is_a_row_with_what_differs_why_and_what_it_means() -> None:
    _, row = rows(render(plan(GATEWAY)))
    cells = [cell.strip() for cell in BAR.split(row)[1:-1]]
    assert cells[0].startswith("`gateway`")
    assert cells[1] == "replace"
    assert cells[2] == "port 8080: `127.0.0.1:3000` → `127.0.0.1:3001`"
    assert "gateway.port" in cells[3]
    assert cells[4].startswith("**interrupts gateway for about 2.0 s, at most 1 min 30 s")


def test_lost_data_is_loud() -> None:
    shown = render(plan(VOLUME, notes=("mind this",)))
    assert "**1 to delete, 30 unchanged; DELETES DATA**" in shown
    assert "**DELETES DATA" in rows(shown)[1]
    assert "- mind this" in shown


def test_drift_stands_apart() -> None:
    shown = render(plan(drift=(Drift("container x", "stopped"),)))
    assert "On the live stack, apart from this change:\n\n- `container x`: stopped" in shown


def test_a_problem_takes_the_place_of_all_else() -> None:
    shown = render(plan(GATEWAY, problem="it broke:\n<b>bold</b> @all"))
    assert "preview failed" in shown
    assert rows(shown) == []
    assert "&lt;b&gt;" in shown


NASTY = [
    "a | b",
    "`` ` ```",
    "<script>alert(1)</script>",
    "@everyone and @octocat",
    "](javascript:alert(1)) ![x](http://x/y.png)",
    "line\nbreak\r\n| --- |",
    "\x1b[31mred\x1b[0m \x07\u202ereversed",
    "**bold** _it_ ~~x~~ # head #12 GH-1",
    "&lt;img src=x&gt;",
    "www.example.org http://example.org",
    "x" * 200_000,
]


@pytest.mark.parametrize("value", NASTY)
def test_no_value_breaks_the_table_or_works_as_anything(value: str) -> None:
    nasty = change(name=value, differences=(Difference(value, value, value),), reasons=(value,))
    shown = render(plan(nasty, notes=(value,), drift=(Drift(value, value),)))
    assert len(rows(shown)) == 2
    assert len(BAR.split(rows(shown)[1])) == 7
    assert len(shown) < 5000
    outside = re.sub(r"(`+).*?(?<!`)\1(?!`)", "", shown).replace("<br>", "")
    assert not re.search(r"<[a-z/]", outside)
    assert not re.search(r"@\w", outside)
    assert not re.search(r"\]\(", outside)
    assert "\x1b" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("`a`", "`` `a` ``"),
        ("a|b", "`a\\|b`"),
        ("", ""),
    ],
)
def test_a_code_span_is_closed_by_its_own_fence_alone(value: str, expected: str) -> None:
    assert code(value) == expected


def test_text_is_told_as_it_is() -> None:
    assert text("gateway.port 3000 → 3001") == "gateway.port 3000 → 3001"


def test_a_cell_holds_a_few_lines_and_says_how_many_more() -> None:
    many = change(reasons=tuple(f"reason {number}" for number in range(20)))
    assert "… and 12 more" in render(plan(many))
