"""What a check tells: figures, goals, verdicts, and why it cannot run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from medianest.soak.__main__ import main
from medianest.soak.protocol import (
    CannotRunError,
    Figure,
    at_most,
    progress_line,
    reasons,
    share,
    verdict_line,
)
from medianest.soak.target import Target

ENVIRONMENT = {
    "DEMO_USER": "demo",
    "DEMO_PASSWORD": "zT5rW8nB2vCx",
    "SOAK_MINUTES": "0.5",
    "TARGET_URL": "http://gateway:8080",
    "BACKEND_HOST": "backend",
    "BACKEND_PORT": "3000",
}


def test_a_share_is_judged_before_it_is_rounded() -> None:
    assert share("logins", 999, 1000, 99.9).ok is True
    almost = share("logins", 99_899_999, 100_000_000, 99.9)
    assert (almost.value, almost.ok) == (99.9, False)


def test_what_was_never_seen_has_not_reached_its_goal() -> None:
    nothing = share("logins", 0, 0, 99.9)
    assert (nothing.value, nothing.ok) == (None, None)
    assert reasons([nothing]) == ["logins: nothing was seen, the goal is at least 99.9 %"]


def test_reasons_name_the_value_the_goal_and_what_went_wrong() -> None:
    figures = [
        Figure("reads", 10),
        at_most("growth", 1.5, "MB", 2),
        at_most("growth", 3.5, "MB", 2),
        share("logins", 9, 10, 99.9, "status 503: 1"),
    ]
    assert reasons(figures) == [
        "growth: 3.5 MB, the goal is at most 2 MB",
        "logins: 90.0 %, the goal is at least 99.9 % (status 503: 1)",
    ]


def test_every_line_is_one_json_object() -> None:
    figure = {"name": "reads", "value": 3, "unit": "", "goal": "", "ok": None, "note": ""}
    assert json.loads(progress_line(1.04, [Figure("reads", 3)])) == {"elapsed": 1.0, "figures": [figure]}
    assert json.loads(verdict_line(2, [], ["why"])) == {
        "elapsed": 2,
        "figures": [],
        "verdict": "failed",
        "reasons": ["why"],
    }
    assert json.loads(verdict_line(2, [], []))["verdict"] == "passed"


def test_the_target_is_read_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "demo_password"
    file.write_text("of a file\n")
    found = Target.from_environment(ENVIRONMENT | {"DEMO_PASSWORD_FILE": str(file)})
    assert (found.seconds, found.gateway_host, found.gateway_port) == (30, "gateway", 8080)
    assert (found.backend_host, found.backend_port) == ("backend", 3000)
    assert found.password == "of a file"
    assert "of a file" not in repr(found)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"DEMO_USER": ""}, "nobody to log in as"),
        ({"DEMO_PASSWORD": ""}, "nobody to log in as"),
        ({"DEMO_USER": "a b"}, "DEMO_USER"),
        ({"TARGET_URL": ""}, "TARGET_URL"),
        ({"TARGET_URL": "https://gateway"}, "TARGET_URL"),
        ({"SOAK_MINUTES": "soon"}, "SOAK_MINUTES"),
        ({"SOAK_MINUTES": "nan"}, "SOAK_MINUTES"),
        ({"SOAK_MINUTES": "2881"}, "SOAK_MINUTES"),
        ({"BACKEND_PORT": "x"}, "BACKEND_PORT"),
    ],
)
def test_what_it_cannot_run_with_is_named(changes: dict[str, str], words: str) -> None:
    with pytest.raises(CannotRunError, match=words):
        Target.from_environment(ENVIRONMENT | changes)


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [([], ENVIRONMENT, "auth-cache"), (["disk"], ENVIRONMENT, "memory"), (["memory"], {}, "DEMO_USER")],
)
def test_what_cannot_run_fails_with_a_verdict(
    arguments: list[str], environment: dict[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments, environment) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["verdict"] == "failed"
    assert words in verdict["reasons"][0]
