"""Previews that Pulumi has given, and plans made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ops.plan.model import Action, Change, Difference, Effect, Interruption, StackPlan
from ops.plan.operations import Operation, Preview

RECORDED = Path(__file__).parents[1] / "recorded" / "previews"
URN = "urn:pulumi:staging::medianest::medianest:index:Backend$docker:index/container:Container::backend-0"


def recorded(name: str) -> Preview:
    """One of the recorded previews, folded."""
    preview = Preview()
    for line in (RECORDED / f"{name}.jsonl").read_text().splitlines():
        preview.take(json.loads(line))
    return preview


def operation(preview: Preview, name: str) -> Operation:
    (found,) = [item for item in preview.operations if item.name == name]
    return found


def change(**values: Any) -> Change:
    """A harmless change, but for what is given."""
    usual: dict[str, Any] = {
        "urn": URN,
        "name": "backend-0",
        "kind": "Container",
        "component": "backend",
        "action": Action.REPLACE,
    }
    return Change(**{**usual, **values})


def plan(*changes: Change, **values: Any) -> StackPlan:
    return StackPlan("medianest", "staging", changes, **{"unchanged": 30, **values})


GATEWAY = change(
    name="gateway",
    component="gateway",
    differences=(Difference("port 8080", "127.0.0.1:3000", "127.0.0.1:3001"),),
    reasons=("setting gateway.port: 3000 → 3001",),
    effect=Effect(interruption=Interruption("gateway", 90, "every request", 2)),
)
VOLUME = change(
    name="backend-media",
    kind="Volume",
    action=Action.DELETE,
    effect=Effect(deletes_data="everything in volume backend-media"),
)
