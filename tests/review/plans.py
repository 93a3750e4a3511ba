"""Plans to post, and a way to tell them that is plain enough to look into."""

from __future__ import annotations

from ops.plan.model import Action, Change, Difference, Effect, Interruption, StackPlan

NOTHING = Effect()
INTERRUPTS = Effect(interruption=Interruption("gateway", 2.0, "every request"))
DELETES = Effect(deletes_data="the volume of Postgres")


def change(name: str, effect: Effect = NOTHING, size: int = 10) -> Change:
    return Change(
        urn=f"urn:pulumi:staging::site::docker:index/container:Container::{name}",
        name=name,
        kind="Container",
        component="backend",
        action=Action.UPDATE,
        differences=(Difference("memory", "o" * size, "n" * size),),
        reasons=(f"{name} has another setting",),
        effect=effect,
    )


def plan(stack: str = "staging", *changes: Change, problem: str = "") -> StackPlan:
    return StackPlan("site", stack, changes, unchanged=20, problem=problem)
