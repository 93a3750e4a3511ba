"""A plan as Markdown, for comments and job summaries: GitHub's and GitLab's.

Nothing of a value works as Markdown or HTML, mentions anybody, or breaks the table.
Source of the rules: https://github.github.com/gfm/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ops.plan.model import Change, Danger, StackPlan
from ops.plan.words import clean, difference_words, effect_words, headline

SHOWN_LINES = 8
LONGEST = 300
SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$^=:-])")
# What stands between a sign and what would be a name behind it.
ZERO_WIDTH = "\u200b"
TABLE = ("resource", "action", "what changes", "why", "effect")


def render(plan: StackPlan) -> str:
    """One stack's section."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: StackPlan) -> Iterator[str]:
    bold = "**" if plan.danger >= Danger.INTERRUPTION else ""
    yield f"### {code(f'{plan.project}/{plan.stack}')}: {bold}{text(headline(plan))}{bold}"
    if plan.problem:
        yield ""
        for line in plan.problem.splitlines():
            yield f"> {text(line)}  "
        return
    if plan.changes:
        yield from ("", f"| {' | '.join(TABLE)} |", "|---" * len(TABLE) + "|")
        yield from (row(change) for change in plan.changes)
    if plan.notes:
        yield ""
        yield from (f"- {text(note)}" for note in plan.notes)
    if plan.drift:
        yield from ("", "On the live stack, apart from this change:", "")
        yield from (f"- {code(drift.resource)}: {text(drift.what)}" for drift in plan.drift)


def row(change: Change) -> str:
    """One change as a row of the table."""
    differs = [f"{text(path)}: {code(old)} → {code(new)}" for path, old, new in difference_words(change)]
    effect = [text(words) for words in effect_words(change.effect)]
    if change.effect.danger >= Danger.INTERRUPTION:
        effect[0] = f"**{effect[0]}**"
    cells = [
        f"{code(change.name)} ({text(f'{change.component} {change.kind}')})",
        change.action.value,
        few(differs),
        few([text(reason) for reason in change.reasons]),
        few(effect),
    ]
    return f"| {' | '.join(cells)} |"


def few(lines: Sequence[str]) -> str:
    """A cell of several lines, and how many more there are."""
    more = [f"… and {len(lines) - SHOWN_LINES} more"] if len(lines) > SHOWN_LINES else []
    return "<br>".join([*lines[:SHOWN_LINES], *more])


def text(value: str) -> str:
    """Text that is nothing but text: escaped, in one line, not longer than people read."""
    escaped = SPECIAL.sub(r"\\\1", shorten(clean(value)))
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A mention, or a link made of an address, begins behind one of these.
    return re.sub(r"(@|//|www)", rf"\1{ZERO_WIDTH}", escaped)


def code(value: str) -> str:
    """A value as a code span, in which nothing works. A bar would end the cell of a table all the same."""
    value = shorten(clean(value)).replace("|", "\\|")
    longest = max((len(run) for run in re.findall(r"`+", value)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if value.startswith("`") or value.endswith("`") else ""
    return f"{fence}{padding}{value}{padding}{fence}" if value else ""


def shorten(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
