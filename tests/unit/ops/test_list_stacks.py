"""The list of stacks, joined from settings, state and engine."""

from __future__ import annotations

import json
from pathlib import Path

from components import labels
from ops.engine import Resource
from ops.list_stacks import gather
from ops.project import Project
from ops.session import Session


def resource(kind: str, stack: str, owner: str) -> Resource:
    return Resource(kind, "id", "name", {labels.STACK: stack, labels.OWNER: owner})


def test_own_and_foreign_stacks_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.staging.yaml").touch()
    stacks = tmp_path / ".pulumi" / "stacks" / "p"
    stacks.mkdir(parents=True)
    for name in ("staging", "old"):
        outputs = {"owner": f"me-{name}", "url": "http://x", "release": "abc"}
        latest = {
            "manifest": {"time": "2026-11-23T22:36:41Z"},
            "resources": [{"urn": "u", "type": "pulumi:pulumi:Stack", "outputs": outputs}],
        }
        (stacks / f"{name}.json").write_text(json.dumps({"version": 3, "checkpoint": {"latest": latest}}))
    session = Session(Project("p", tmp_path), {"PULUMI_BACKEND_URL": f"file://{tmp_path}"})
    entries = gather(
        session,
        [
            resource("container", "staging", "me-staging"),
            resource("volume", "staging", "me-staging"),
            resource("container", "staging", "you"),
            resource("container", "theirs", "you"),
        ],
    )
    shown = [
        (
            entry.stack,
            entry.settings,
            entry.state,
            entry.foreign,
            entry.owner,
            entry.containers,
            entry.volumes,
        )
        for entry in entries
    ]
    assert shown == [
        ("old", False, True, False, "me-old", 0, 0),
        ("staging", True, True, False, "me-staging", 1, 1),
        ("staging", True, False, True, "you", 1, 0),
        ("theirs", False, False, True, "you", 1, 0),
    ]


def test_a_damaged_state_is_listed_as_one_beside_the_others(tmp_path: Path) -> None:
    stacks = tmp_path / ".pulumi" / "stacks" / "p"
    stacks.mkdir(parents=True)
    (stacks / "cut.json").write_text('{"version": 3, "checkp')
    (stacks / "good.json").write_text('{"version": 3, "checkpoint": {}}')
    session = Session(Project("p", tmp_path), {"PULUMI_BACKEND_URL": f"file://{tmp_path}"})
    problems = {entry.stack: entry.problem for entry in gather(session, [])}
    assert problems["good"] == ""
    assert "the state of stack cut is damaged" in problems["cut"]


def test_what_belongs_to_no_stack_is_not_listed(tmp_path: Path) -> None:
    session = Session(Project("p", tmp_path), {"PULUMI_BACKEND_URL": f"file://{tmp_path}"})
    assert gather(session, [Resource("image", "id", "postgres", {labels.COMPONENT: "postgres"})]) == []
