"""What goes on record of a release that is found in a restart loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.settings import StackSettings
from ops import unchanged
from ops.deploy_verdict import Deployed, refuse_restart_loops
from ops.errors import ExitCode, OperationError
from ops.events import Update
from ops.project import Project
from ops.releases.records import NOT_VERIFIED
from ops.restart_loops import RestartLoop
from ops.session import Session

OUTPUTS = {"containers": {"backend": ["s-backend-0"], "redis": ["s-redis"]}}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The verdicts that go on record."""
    found: list[tuple[Any, ...]] = []
    monkeypatch.setattr("ops.releases.records.remember", lambda _, *said, **__: found.append(said[:3]))
    return found


def deployed(tmp_path: Path, *, changed: bool) -> Deployed:
    update = Update(outputs=OUTPUTS, changes={"update": 1} if changed else {"same": 9})
    inputs = unchanged.Inputs("digest", tmp_path / "unchanged" / "record")
    session = Session(Project("medianest", tmp_path), {})
    return Deployed(session, "s", StackSettings(), inputs, update, None, {"stack": "s"})


@pytest.mark.parametrize(
    ("container", "changed", "noted"),
    [
        ("s-backend-0", True, True),
        # It served well once: what makes it loop now is not the release.
        ("s-backend-0", False, False),
        ("s-redis", True, False),
    ],
)
def test_a_backend_that_loops_after_a_change_is_no_good_release(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    recorded: list[tuple[Any, ...]],
    container: str,
    changed: bool,
    noted: bool,
) -> None:
    loop = RestartLoop(container, 3, 10, 1, False, ["no such table"])
    monkeypatch.setattr("ops.restart_loops.loops_of", lambda *_: [loop])
    done = deployed(tmp_path, changed=changed)
    with pytest.raises(OperationError, match="restart loop") as caught:
        refuse_restart_loops(done, print)
    assert caught.value.code is ExitCode.NOT_VERIFIED
    assert unchanged.not_verified(done.inputs) is noted
    if noted:
        ((stack, verdict, reason),) = recorded
        assert (stack, verdict) == ("s", NOT_VERIFIED)
        assert reason.startswith("s-backend-0 is in a restart loop")
        assert reason.endswith("with exit code 1")
    else:
        assert not recorded


def test_without_a_loop_nothing_is_noted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recorded: list[tuple[Any, ...]]
) -> None:
    monkeypatch.setattr("ops.restart_loops.loops_of", lambda *_: [])
    done = deployed(tmp_path, changed=True)
    refuse_restart_loops(done, print)
    assert not recorded
    assert not unchanged.not_verified(done.inputs)
