"""Plans as one document for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ops.plan.model import Danger, StackPlan

NO_CHANGE, FAILED, CHANGES, DANGEROUS = 0, 1, 2, 3


def exit_code(plans: Sequence[StackPlan]) -> int:
    """0 no change, 1 a stack has no plan, 2 changes, 3 changes that interrupt or delete data."""
    if any(plan.problem for plan in plans):
        return FAILED
    if any(plan.danger >= Danger.INTERRUPTION for plan in plans):
        return DANGEROUS
    return CHANGES if any(plan.changes for plan in plans) else NO_CHANGE


def document(plans: Sequence[StackPlan]) -> dict[str, Any]:
    """All plans; `code` is what the command ends with."""
    return {"stacks": [stack_document(plan) for plan in plans], "code": exit_code(plans)}


def stack_document(plan: StackPlan) -> dict[str, Any]:
    """One plan, field by field as in ops.plan.model; dangers and actions by their names."""
    return {
        **asdict(plan),
        "danger": plan.danger.name.lower(),
        "changes": [
            {
                **asdict(change),
                "action": change.action.value,
                "effect": {**asdict(change.effect), "danger": change.effect.danger.name.lower()},
            }
            for change in plan.changes
        ],
    }
