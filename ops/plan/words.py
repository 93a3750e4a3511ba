"""A plan in words: what every form of it says the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from ops.output import seconds
from ops.plan.model import Action, Change, Danger, Effect, Interruption, StackPlan

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
SHOWN = 5
# In this order, as people expect them.
COUNTED = {
    Action.CREATE: "to create",
    Action.UPDATE: "to update",
    Action.REPLACE: "to replace",
    Action.DELETE: "to delete",
}
WARNINGS = {
    Danger.DATA_LOSS: "DELETES DATA",
    Danger.INTERRUPTION: "interrupts",
    Danger.SECRET: "secrets get another value",
}


def headline(plan: StackPlan) -> str:
    """The plan in one line."""
    if plan.problem:
        return "preview failed"
    if not plan.changes:
        return f"no change ({plan.unchanged} resources)"
    actions = [change.action for change in plan.changes]
    counts = ", ".join(
        f"{actions.count(action)} {word}" for action, word in COUNTED.items() if action in actions
    )
    warning = WARNINGS.get(plan.danger)
    return f"{counts}, {plan.unchanged} unchanged{f'; {warning}' if warning else ''}"


def effect_words(effect: Effect) -> list[str]:
    """What a change means, the worst first."""
    return list(_effect(effect)) or ["nobody notices"]


def _effect(effect: Effect) -> Iterator[str]:
    if effect.deletes_data:
        yield f"DELETES DATA: {effect.deletes_data}"
    if effect.interruption:
        yield interruption_words(effect.interruption)
    if effect.secrets:
        yield f"another value of {', '.join(effect.secrets)}"
    if effect.memory_mb:
        yield f"{effect.memory_mb:+d} MB of memory"


def interruption_words(interruption: Interruption) -> str:
    """Who waits, and for how long."""
    most = f"at most {seconds(interruption.seconds)}"
    usual = f"about {seconds(interruption.usual_seconds)}, " if interruption.usual_seconds else ""
    return f"interrupts {interruption.part} for {usual}{most}: {interruption.meets}"


def difference_words(change: Change) -> list[tuple[str, str, str]]:
    """What differs: path, old, new; a side that is absent reads "none"."""
    return [(item.path, item.old or "none", item.new or "none") for item in change.differences]


def first_few(names: Sequence[str]) -> str:
    """The first few of many names, and how many more."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def clean(text: str) -> str:
    """Text without colours and other control characters, in one line."""
    text = re.sub(r"\s+", " ", ANSI.sub("", text)).strip()
    # Cf: what turns the direction of writing round, among others.
    return "".join(char for char in text if unicodedata.category(char) not in ("Cc", "Cf"))
