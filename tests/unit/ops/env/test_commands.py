"""The commands without an engine: the reaper's timer, and an environment's condition in one word."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from ops.env.judge import Whose
from ops.env.list_environments import state_of
from ops.env.survey import Seen
from tests.unit.ops.env.test_judge import LEASE, NOW
from tests.unit.ops.test_cli import run


def test_the_reapers_timer_and_cron_line_do_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    monkeypatch.setenv("GITHUB_TOKEN", "a-token")
    assert run("env", "schedule", "--idle", "2h", "--json") == 0
    said = capsys.readouterr().out
    made = json.loads(said)
    assert made["files"].keys() == {"medianest-reaper.service", "medianest-reaper.timer"}
    assert "OnCalendar=*:0/10" in made["files"]["medianest-reaper.timer"]
    assert 'medianest" env reap --idle 2h\n' in made["files"]["medianest-reaper.service"]
    assert made["cron"].startswith("*/10 * * * * ")
    assert made["cron"].endswith("/medianest env reap --idle 2h")
    assert "GITHUB_REPOSITORY=o/r" in made["cron"]
    assert "a-token" not in said


def test_a_duration_that_is_none_gets_no_timer(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("env", "schedule", "--idle", "2h; reboot") == 2
    assert "no duration" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("standing", "left", "running", "word"),
    [
        (Whose.OWN, 1, True, "running"),
        (Whose.OWN, 1, False, "stopped"),
        (Whose.OWN, -1, True, "expired"),
        (Whose.LOST, -1, True, "leaking"),
        (Whose.FOREIGN, 1, False, "another state's"),
    ],
)
def test_one_word_for_each(standing: Whose, left: int, running: bool, word: str) -> None:
    lease = replace(LEASE, expires=NOW + timedelta(hours=left))
    assert state_of(Seen(lease, standing), NOW, running) == word
