"""The reaper goes on to the next environment, whatever becomes of one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from docker.errors import APIError

from ops.env.judge import Action, Whose
from ops.env.reap import Reaper
from ops.env.survey import Seen
from ops.errors import ExitCode, OperationError
from ops.output import Output
from ops.project import Project
from ops.session import Session
from tests.unit.ops.env.test_judge import HOUR, LEASE

SEEN = Seen(replace(LEASE, pull_request=None), Whose.OWN, {"gateway": [{"Id": "g", "State": "running"}]})


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class FailingEngine:
    """Answers each question with an error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, _: str) -> Any:
        def fail(*_: Any, **__: Any) -> Any:
            raise self._error

        return fail


def reaper(error: Exception, tmp_path: Path, *, idle: bool) -> Reaper:
    session = Session(Project("medianest", tmp_path), {"PULUMI_BACKEND_URL": f"file://{tmp_path}"})
    engine = cast(Any, FailingEngine(error))
    return Reaper(session, engine, Output(as_json=True), "", HOUR if idle else None)


ERRORS = [APIError("no such container: g"), ConnectionResetError("reset"), OperationError("no lock")]


@pytest.mark.parametrize("error", ERRORS)
def test_one_that_cannot_be_judged_is_told_and_kept(error: Exception, tmp_path: Path) -> None:
    deed, problem = reaper(error, tmp_path, idle=True).see_to(SEEN, dry_run=False)
    assert (deed.action, deed.done, problem) == (Action.KEEP, False, "")
    assert str(error) in deed.failed


@pytest.mark.parametrize("error", ERRORS)
def test_one_that_cannot_be_removed_is_told(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    deed, _ = reaper(error, tmp_path, idle=False).see_to(
        replace(SEEN, lease=replace(SEEN.lease, created=None, expires=LONG_AGO)), dry_run=False
    )
    assert (deed.action, deed.done) == (Action.DESTROY, False)
    assert str(error) in deed.failed


def test_an_interrupt_ends_it_all(tmp_path: Path) -> None:
    error = OperationError("interrupted", code=ExitCode.INTERRUPTED)
    with pytest.raises(OperationError, match="interrupted"):
        reaper(error, tmp_path, idle=True).see_to(SEEN, dry_run=False)
