from __future__ import annotations

import pytest

from ops.plan.markdown import render
from ops.plan.model import Drift, StackPlan
from ops.review.choices import Host, OnDanger
from ops.review.client import next_page
from ops.review.comment import Body
from ops.review.host import Conclusion
from ops.review.place import Place
from ops.review.section import fitted, section
from ops.review.text import inert, one_line
from ops.review.verdict import check_of
from tests.review.plans import DELETES, INTERRUPTS, change, plan

PLACE = Place(
    Host.GITHUB, "https://api.example", "octo/site", 5, "token", run_url="https://ci.example/9", order=9
)
MANY = plan("staging", change("postgres", DELETES), *(change(f"part-{number}") for number in range(40)))


@pytest.mark.parametrize("room", [100_000, 6_000, 4_500, 4_000, 2_000, 700])
def test_a_plan_is_cut_to_its_room_and_says_so(room: int) -> None:
    text = fitted(MANY, render, room)
    assert len(text) <= room
    assert ("Shortened" in text) == (len(render(MANY)) > room)
    assert "postgres" in text
    assert "DELETES DATA" in text


def test_where_nothing_fits_the_heading_stays() -> None:
    text = fitted(MANY, render, 10)
    assert "site/staging" in text
    assert "DELETES DATA" in text
    assert "all 41 changes are left out" in text


def test_a_section_says_where_it_comes_from() -> None:
    first = section(plan("staging", change("backend")), render, PLACE, "0123456789abcdef", Body(), 10_000)
    assert "Commit 01234567, [run](https://ci.example/9)" in first.text
    assert (first.order, first.danger, first.changes) == (9, 0, 1)
    body = Body().with_sections([first])
    assert "No change any more." in section(plan("staging"), render, PLACE, "", body, 10_000).text
    failed = section(plan("staging", problem="boom"), render, PLACE, "", body, 10_000)
    assert "No change any more." not in failed.text
    assert "No change any more." not in section(plan("staging"), render, PLACE, "", Body(), 10_000).text


@pytest.mark.parametrize(
    ("made", "on_danger", "conclusion", "title"),
    [
        (plan(), OnDanger.FAILURE, Conclusion.SUCCESS, "No change"),
        (plan("s", change("a"), change("b")), OnDanger.FAILURE, Conclusion.SUCCESS, "2 changes"),
        (
            plan("s", change("a", INTERRUPTS)),
            OnDanger.FAILURE,
            Conclusion.FAILURE,
            "1 change: a part is interrupted",
        ),
        (plan("s", change("a", DELETES)), OnDanger.NEUTRAL, Conclusion.NEUTRAL, "1 change: data is deleted"),
        (plan("s", problem="a\nb"), OnDanger.NEUTRAL, Conclusion.FAILURE, "preview failed: a b"),
        (
            StackPlan("p", "s", drift=(Drift("x", "gone"),)),
            OnDanger.FAILURE,
            Conclusion.SUCCESS,
            "No change, drift",
        ),
    ],
)
def test_the_check_says_what_it_means(
    made: StackPlan, on_danger: OnDanger, conclusion: Conclusion, title: str
) -> None:
    check = check_of(made, on_danger, "https://x")
    assert (check.conclusion, check.title) == (conclusion, title)


def test_what_a_host_says_is_shown_on_one_line() -> None:
    assert one_line("a\x1b[31m\r\n b\x00\u202e", 50) == "a b"
    assert one_line("x" * 100_000, 10) == "xxxxxxxxx…"


def test_no_line_is_a_marker_or_a_command() -> None:
    assert inert("<!-- medianest-preview -->\n/close\n  /assign @x\na /b") == (
        "&lt;!-- medianest-preview -->\n\\/close\n  \\/assign @x\na /b"
    )
    again = inert("/close <!-- x")
    assert inert(again) == again


@pytest.mark.parametrize(
    ("headers", "following"),
    [
        ({}, None),
        ({"x-next-page": ""}, None),
        ({"x-next-page": "3"}, {"sort": "asc", "page": "3"}),
        (
            {"link": '<https://evil.example/x?per_page=100&page=2>; rel="next"'},
            {"per_page": "100", "page": "2"},
        ),
        ({"link": '<https://api.example/x?page=1>; rel="prev"'}, None),
    ],
)
def test_a_page_names_the_next(headers: dict[str, str], following: dict[str, str] | None) -> None:
    assert next_page(headers, {"sort": "asc"}) == following
