"""A plan for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ops.plan.model import Action, Danger, StackPlan
from ops.plan.words import clean, difference_words, effect_words, headline

if TYPE_CHECKING:
    from rich.console import RenderableType

COLOURS = {
    Danger.DATA_LOSS: "bold red",
    Danger.INTERRUPTION: "yellow",
    Danger.SECRET: "cyan",
    Danger.NONE: "",
}
SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.REPLACE: "±", Action.DELETE: "-"}


def renderables(plan: StackPlan) -> Iterator[RenderableType]:
    """One stack: a headline, a table of its changes, what else there is to know."""
    from rich.table import Table
    from rich.text import Text

    colour = "red" if plan.problem else COLOURS[plan.danger]
    yield Text.assemble((f"{plan.project}/{plan.stack}", "bold"), ": ", (clean(headline(plan)), colour))
    if plan.problem:
        for line in plan.problem.splitlines():
            yield Text(f"  {clean(line)}")
        return
    if plan.changes:
        from rich import box

        table = Table("", "resource", "what changes", "why", "effect", box=box.SIMPLE_HEAD, pad_edge=False)
        for column in table.columns:
            # A narrow terminal breaks a name rather than hide its end.
            column.overflow = "fold"
        for change in plan.changes:
            differs = [f"{path}: {old} → {new}" for path, old, new in difference_words(change)]
            table.add_row(
                Text(SIGNS[change.action]),
                Text(clean(f"{change.name} ({change.component} {change.kind})")),
                Text("\n".join(map(clean, differs)) or change.action.value),
                Text("\n".join(map(clean, change.reasons))),
                Text("\n".join(map(clean, effect_words(change.effect))), style=COLOURS[change.effect.danger]),
            )
        yield table
    for note in plan.notes:
        yield Text(f"  {clean(note)}")
    if plan.drift:
        yield Text("On the live stack, apart from this change:")
    for drift in plan.drift:
        yield Text(f"  {clean(drift.resource)}: {clean(drift.what)}")
