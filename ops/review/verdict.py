"""What a plan means for the check beside a commit."""

from __future__ import annotations

from ops.plan.model import Danger, StackPlan
from ops.review.choices import OnDanger
from ops.review.host import Check, Conclusion
from ops.review.text import one_line

LONGEST_TITLE = 140


def check_of(plan: StackPlan, on_danger: OnDanger, url: str) -> Check:
    """The check of one stack: runs for different stacks do not overwrite each other's."""
    name = one_line(f"preview {plan.project}/{plan.stack}", LONGEST_TITLE)
    return Check(name, conclusion_of(plan, on_danger), title_of(plan), url)


def conclusion_of(plan: StackPlan, on_danger: OnDanger) -> Conclusion:
    if plan.problem:
        return Conclusion.FAILURE
    if plan.danger >= Danger.INTERRUPTION:
        return Conclusion.FAILURE if on_danger is OnDanger.FAILURE else Conclusion.NEUTRAL
    return Conclusion.SUCCESS


def title_of(plan: StackPlan) -> str:
    """One line: "No change", "2 changes, drift", "3 changes: data is deleted", …"""
    if plan.problem:
        return one_line(f"preview failed: {plan.problem}", LONGEST_TITLE)
    count = len(plan.changes)
    title = f"{count} change{'' if count == 1 else 's'}" if count else "No change"
    if plan.drift:
        title += ", drift"
    meaning = {
        Danger.DATA_LOSS: ": data is deleted",
        Danger.INTERRUPTION: ": a part is interrupted",
        Danger.SECRET: ": a secret gets another value",
    }.get(plan.danger, "")
    return title + meaning
