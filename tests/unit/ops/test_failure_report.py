"""What a run of Pulumi that did not end by itself is said to have left."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from ops.errors import ExitCode, OperationError
from ops.events import Update
from ops.failure_report import explain_failure
from ops.pulumi import Outcome


def told(command: str, outcome: Outcome, result: str = "") -> OperationError:
    return explain_failure(Path("/nowhere"), "staging", command, outcome, Update(result=result), {})


KILLED = Outcome(-signal.SIGKILL, False, "", Path("/log"))


@pytest.mark.parametrize(
    ("command", "left", "again"),
    [
        ("up", "is partly deployed", "it mends what was cut off: ./medianest up staging"),
        ("destroy", "is partly removed", "it mends what was cut off: ./medianest down staging"),
    ],
)
def test_what_a_killed_change_has_begun_is_told(command: str, left: str, again: str) -> None:
    error = told(command, KILLED)
    assert error.message == f"Pulumi was killed by signal 9: stack staging {left}"
    assert error.hint.endswith(again)


@pytest.mark.parametrize(("command", "again"), [("preview", "preview"), ("consent", "up")])
@pytest.mark.parametrize("result", ["", "canceled"])
def test_a_preview_that_was_cut_off_has_touched_nothing(command: str, again: str, result: str) -> None:
    error = told(command, KILLED, result=result)
    assert "partly" not in error.message
    assert error.hint.splitlines()[0] == f"Nothing was touched. Run it again: ./medianest {again} staging"
    assert "changes" not in error.details
    if result:
        assert error.code is ExitCode.INTERRUPTED
    else:
        assert error.message == "Pulumi was killed by signal 9 while it previewed stack staging"
        assert error.hint.endswith("A preview that takes longer than 10 min 0 s is killed.")


def test_an_interrupted_change_says_whether_anything_was_changed() -> None:
    error = told("up", Outcome(1, True, "", Path("/log")))
    assert error.message == "interrupted: stack staging was not changed"
    assert error.code is ExitCode.INTERRUPTED
