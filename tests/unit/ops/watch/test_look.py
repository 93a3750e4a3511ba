"""What the engine alone can tell, in the form of the guardian's document."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guardian.dashboard.document import Document
from guardian.dashboard.view import Seen, as_json, document
from ops.status import ContainerStatus
from ops.watch.look import described, guardian_of

NOW = 1_000_000.0


def item(component: str, **changes: Any) -> ContainerStatus:
    known: dict[str, Any] = {"state": "running", "health": "healthy", "uptime_seconds": 60.0, "release": "r1"}
    return ContainerStatus(component, f"{component}-0", **{**known, **changes})


def stack(**changes: dict[str, Any]) -> list[ContainerStatus]:
    names = ("gateway", "backend", "postgres", "redis")
    return [item(name, **changes.get(name, {})) for name in names]


@pytest.mark.parametrize(
    ("containers", "problem", "word", "reason"),
    [
        (stack(), "", "well", "All 4 containers are well. It is not watched"),
        (stack(), "The guardian tells nothing: it is paused.", "degraded", "The guardian tells nothing"),
        (stack(redis={"health": "unhealthy"}), "", "down", "redis does not serve."),
        (
            stack(redis={"state": "exited"}, postgres={"state": "exited"}),
            "",
            "down",
            "postgres, redis do not",
        ),
        ([*stack(), item("backend", health="starting")], "", "degraded", "backend-0 is starting."),
        ([*stack(), item("backend", state="exited")], "", "degraded", "backend-0 is exited."),
        ([item("gateway", state="exited")], "", "stopped", "Nothing of the stack runs."),
        ([], "", "stopped", "Nothing of the stack runs."),
    ],
)
def test_the_verdict(containers: list[ContainerStatus], problem: str, word: str, reason: str) -> None:
    found = described("staging", containers, NOW, problem)["verdict"]
    assert found["word"] == word
    assert found["reason"].startswith(reason)


def test_it_has_the_form_of_the_guardians_document() -> None:
    found = described("staging", stack(), NOW, "")
    theirs = as_json(document(Seen("staging", NOW, None)))
    assert found.keys() == theirs.keys() == Document.__dataclass_fields__.keys()
    from guardian.dashboard.document import Release, Use

    assert all(use.keys() == Use.__dataclass_fields__.keys() for use in found["containers"])
    assert all(row.keys() == Release.__dataclass_fields__.keys() for row in found["releases"])
    json.dumps(found)


def test_what_is_not_well_comes_first_and_releases_have_their_beginning() -> None:
    containers = [*stack(), item("backend", health="unhealthy", uptime_seconds=10.0)]
    found = described("staging", containers, NOW, "")
    assert found["containers"][0]["health"] == "unhealthy"
    (release,) = found["releases"]
    assert (release["release"], release["since"], len(release["containers"])) == ("r1", NOW - 60, 2)


def test_the_guardian_is_found_by_its_label_and_not_the_loader_of_its_secrets() -> None:
    loader = {"Id": "1", "Labels": {"medianest.component": "guardian-secrets"}}
    guardian = {"Id": "2", "Labels": {"medianest.component": "guardian"}}
    assert guardian_of([loader, guardian]) == "2"
    assert guardian_of([loader, {"Id": "3", "Labels": None}]) is None
