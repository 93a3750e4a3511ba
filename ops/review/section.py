"""A stack's section of the comment: its plan, told in as much detail as there is room for.

Detail goes from the least dangerous change first: what differs and why, then the change itself. The
section says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ops.plan.model import StackPlan
from ops.review.comment import Body, Section, section_key
from ops.review.place import Place

Render = Callable[[StackPlan], str]
Step = Callable[[int], tuple[StackPlan, str]]
LONGEST_PROBLEM = 4_000
CUT_PROBLEM = "**Shortened:** only the end is told. The output of the run has the rest."
SHORT_COMMIT = 8


def section(plan: StackPlan, render: Render, place: Place, commit: str, body: Body, room: int) -> Section:
    """The section of a plan in a comment, in at most `room` characters where that is possible."""
    key = section_key(plan.project, plan.stack)
    present = body.sections.get(key)
    lines = []
    if present and present.changes and not plan.changes and not plan.problem:
        lines.append("No change any more.")
    source = f"Commit {commit[:SHORT_COMMIT]}" if commit else "Outside of a commit"
    lines.append(f"<sub>{source}{f', [run]({place.run_url})' if place.run_url else ''}</sub>")
    foot = "\n\n".join(lines)
    made = Section(key, "", place.order, int(plan.danger), len(plan.changes))
    spare = room - len(made.marked) - len(foot) - 4
    return replace(made, text=f"{fitted(plan, render, spare).strip()}\n\n{foot}")


def fitted(plan: StackPlan, render: Render, room: int) -> str:
    """The plan rendered in at most `room` characters; where not even its shortest form fits, that."""
    text = render(plan)
    if len(text) <= room:
        return text
    if plan.problem:
        return f"{render(replace(plan, problem=plan.problem[-LONGEST_PROBLEM:]))}\n\n{CUT_PROBLEM}"
    count = len(plan.changes)
    steps: tuple[Step, ...] = (
        lambda bare: (without_detail(plan, bare), _said(bare, count, "told without what differs and why")),
        lambda left_out: (without(plan, left_out), _said(left_out, count, "left out")),
    )
    for step in steps:
        if (found := _least(step, count, render, room)) is not None:
            return found
    return f"{text.splitlines()[0]}\n\n{_said(count, count, 'left out, with notes and drift')}"


def without_detail(plan: StackPlan, bare: int) -> StackPlan:
    """The plan with only effects told of its last, least dangerous changes."""
    keep = len(plan.changes) - bare
    rest = tuple(replace(change, differences=(), reasons=()) for change in plan.changes[keep:])
    return replace(plan, changes=plan.changes[:keep] + rest)


def without(plan: StackPlan, left_out: int) -> StackPlan:
    """The plan without its last changes, and with no detail of the others."""
    bare = without_detail(plan, len(plan.changes))
    return replace(bare, changes=bare.changes[: len(plan.changes) - left_out])


def _least(step: Step, count: int, render: Render, room: int) -> str | None:
    """The text of the smallest number from 1 to `count` that fits; None where none does."""

    def text(number: int) -> str:
        plan, said = step(number)
        return f"{render(plan)}\n\n{said}"

    if len(text(count)) > room:
        return None
    low, high = 1, count
    while low < high:
        middle = (low + high) // 2
        if len(text(middle)) <= room:
            high = middle
        else:
            low = middle + 1
    return text(high)


def _said(number: int, count: int, what: str) -> str:
    which = "all" if number == count else f"the {number} least dangerous of"
    return f"**Shortened:** {which} {count} changes are {what}. The output of the run has the rest."
