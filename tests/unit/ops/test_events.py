"""Events of real runs, folded into the course of an update."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.events import Step, Update, cause
from ops.progress import describe

RECORDED = Path(__file__).parent / "recorded"


def replay(name: str) -> Update:
    update = Update()
    for second, line in enumerate((RECORDED / f"{name}.jsonl").read_text().splitlines()):
        update.apply(json.loads(line), float(second))
    return update


def test_a_run_without_changes_has_changed_nothing() -> None:
    update = replay("unchanged")
    assert update.result == "succeeded"
    assert not update.changed
    assert update.changes == {"create": 0, "update": 0, "replace": 0, "delete": 0, "same": 2}
    assert update.running == []


def test_the_stacks_outputs_come_with_its_last_event_and_secrets_masked() -> None:
    assert replay("unchanged").outputs == {"s": "[secret]", "url": "http://x", "vol": "demo-v"}


def test_a_replacement_counts_once() -> None:
    update = replay("replacements")
    assert update.changed
    assert update.changes == {"create": 0, "update": 0, "replace": 9, "delete": 0, "same": 33}
    assert set(update.outputs) >= {"url", "release", "image", "containers", "owner"}


def test_the_seconds_of_builds_are_those_between_their_events() -> None:
    built = replay("replacements").build_seconds()
    assert set(built) == {"backend-image"}
    assert built["backend-image"] > 0


def test_a_failed_build_names_its_resource_cause_and_log() -> None:
    update = replay("build-fails")
    assert update.result == "failed"
    (failed,) = update.failed
    assert (failed.name, failed.kind) == ("img", "RemoteImage")
    (only,) = update.errors
    assert only[0] == failed.urn
    assert only[1].startswith("Error running buildx build: failed to solve: executor failed")
    assert "exit code: 1" in only[1]


def test_errors_without_a_resource_are_kept_once() -> None:
    update = Update()
    event = {"diagnosticEvent": {"severity": "info#err", "message": "error: disk on fire\n\n"}}
    for _ in range(2):
        update.apply(event, 0.0)
    assert update.errors == [("", "disk on fire")]


def test_debug_messages_are_never_kept() -> None:
    update = Update()
    update.apply({"diagnosticEvent": {"severity": "debug", "message": "value: hunter2"}}, 0.0)
    assert "hunter2" not in repr(update)


def test_what_is_under_way_is_what_has_begun_and_not_ended() -> None:
    update = Update()
    lines = (RECORDED / "never-healthy.jsonl").read_text().splitlines()
    seen: list[list[str]] = []
    for line in lines:
        update.apply(json.loads(line), 0.0)
        seen.append([step.name for step in update.running])
    assert ["backend"] in seen
    assert seen[-1] == []


def test_the_log_of_a_build_is_known_from_its_inputs() -> None:
    update = replay("replacements")
    logs = {step.name: step.build_log for step in update.steps.values() if step.build_log}
    assert logs["backend-image"] == ".build/staging-backend.log"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            "  sdk-v2/provider2.go:571: sdk.helper_schema: it broke: provider=docker@5.2.0\n",
            "it broke",
        ),
        ("1 error occurred:\n\t* it broke\n\n\n", "it broke"),
        (
            "1 error occurred:\n\t* creating urn:pulumi:s::p::docker:index/container:Container::c: "
            "1 error occurred:\n\t* it broke\n\n\n\n\n",
            "it broke",
        ),
        ("error: it broke\n", "it broke"),
        ("update failed\n", ""),
    ],
)
def test_a_cause_is_freed_of_its_wrapping(message: str, text: str) -> None:
    assert cause(message) == text


@pytest.mark.parametrize(
    ("urn", "kind", "quiet"),
    [
        (
            "urn:pulumi:s::p::medianest:index:Backend$docker:index/container:Container::b-0",
            "Container",
            False,
        ),
        ("urn:pulumi:s::p::medianest:index:Backend::backend", "Backend", True),
        ("urn:pulumi:s::p::pulumi:pulumi:Stack::p-s", "Stack", True),
        ("urn:pulumi:s::p::pulumi:providers:docker::default", "docker", True),
    ],
)
def test_components_and_providers_are_no_progress(urn: str, kind: str, quiet: bool) -> None:
    step = Step(urn, "create", 0.0)
    assert (step.kind, step.is_quiet) == (kind, quiet)


def test_a_line_of_progress_says_what_was_done_and_how_long_it_took() -> None:
    step = Step("urn:pulumi:s::p::docker:index/network:Network::public", "create", 1.0, finished=3.34)
    assert describe(step) == "  + public (Network) created, 2.3 s"
    step.failed = True
    assert describe(step) == "  ! public (Network) failed, 2.3 s"
