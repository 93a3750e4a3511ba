"""Whatever a value holds, the comment shows it and does nothing else. Read by GitHub's own parser."""

from __future__ import annotations

import re

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from ops.plan.markdown import render
from ops.plan.model import Action, Change, Difference, Drift, Effect, StackPlan
from ops.review.choices import Host
from ops.review.comment import Body, parse
from ops.review.place import Place
from ops.review.section import section

HOSTILE = [
    "<script>alert(1)</script>",
    "</td></tr></table><h1>",
    "<!-- medianest-preview -->",
    "--> <b>",
    "a|b",
    "a\\|<img src=x> @octo",
    "||`|",
    "``` \n# heading",
    "\\`",
    "![x](http://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "https://evil.example www.evil.example",
    "@everyone @octo/team",
    "*b* _i_ ~~s~~",
    "&lt;b&gt; &#60;b&#62;",
    "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "right\u202eto left",
    "/close\n/assign @anna",
    "x" * 200_000,
]
ALLOWED = {"h3", "table", "thead", "tbody", "tr", "th", "td", "code", "ul", "li", "br", "strong", "p", "sub"}
ALLOWED |= {"blockquote"}
PLACE = Place(Host.GITHUB, "https://api.github.example", "octo/site", 5, "token")


def plan_of(value: str) -> StackPlan:
    change = Change(
        urn=value,
        name=value,
        kind=value,
        component=value,
        action=Action.UPDATE,
        differences=(Difference(value, value, value),),
        reasons=(value,),
        effect=Effect(deletes_data=value, secrets=(value,)),
    )
    return StackPlan(value, value, (change,), drift=(Drift(value, value),), notes=(value,))


def rendered(plan: StackPlan) -> str:
    made = section(plan, render, PLACE, "", Body(), 60_000)
    return Body().with_sections([made]).render(60_000)


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value)[:30])
def test_a_value_is_shown_and_does_nothing(value: str) -> None:
    for plan in (plan_of(value), StackPlan(value, value, problem=value)):
        comment = rendered(plan)
        assert len(parse(comment).sections) == 1
        assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", comment)
        assert not re.search(r"^\s*/\w", comment, re.MULTILINE)
        html = cmarkgfm.github_flavored_markdown_to_html(comment, options=Options.CMARK_OPT_UNSAFE)
        html = re.sub(r"<!-- medianest-preview [^>]*-->|<!-- medianest-preview -->", "", html)
        assert "<!--" not in html
        assert set(re.findall(r"</?(\w+)", html)) <= ALLOWED
        assert not re.search(r"@\w", re.sub(r"<code>.*?</code>", "", html, flags=re.DOTALL))


def test_a_row_has_its_effect_in_its_place() -> None:
    html = cmarkgfm.github_flavored_markdown_to_html(rendered(plan_of("a|b\\|c `|` d")))
    assert html.count("<td>") == 5
    assert "DELETES DATA" in html.split("<td>")[5]
