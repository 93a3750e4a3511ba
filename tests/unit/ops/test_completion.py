"""Completion by the shells, as they ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ops import completion
from ops.completion import SCRIPTS, VARIABLE, Shell

ROOT = Path(__file__).parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with a `medianest` that is this tree's command line, and a user's state."""
    stored = tmp_path / "state/medianest/pulumi/.pulumi/stacks/medianest"
    stored.mkdir(parents=True)
    (stored / "stored.json").write_text("{}")
    command = tmp_path / "medianest"
    command.write_text(f'#!/bin/sh\ncd {ROOT}\nexec {sys.executable} -m ops "$@"\n')
    command.chmod(0o755)
    return tmp_path


def ask(home: Path, *command: str, **variables: str) -> str:
    environment = {**os.environ, "XDG_STATE_HOME": str(home / "state"), "TERM": "dumb", **variables}
    environment.pop("PULUMI_BACKEND_URL", None)
    return subprocess.run(
        command, cwd=home, env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_bash_completes_a_command_by_its_path(home: Path) -> None:
    lines = f"""{SCRIPTS[Shell.BASH]}
complete_words() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _medianest_completion ./medianest; }}
complete_words ./medianest stat; echo "${{COMPREPLY[*]}}"
complete_words ./medianest status st; echo "${{COMPREPLY[*]}}"
complete_words ./medianest up --un; echo "${{COMPREPLY[*]}}"
complete -p medianest
"""
    commands, stacks, options, rule = ask(home, "bash", "-c", lines).splitlines()
    assert set(commands.split()) == {"state", "status"}
    assert {"staging", "stored"} <= set(stacks.split())
    assert options == "--unpin"
    assert rule == "complete -o default -F _medianest_completion medianest"


@pytest.mark.parametrize(("shell", "form"), [("zsh", '"staging"'), ("fish", "staging")])
def test_the_others_get_their_own_form(home: Path, shell: str, form: str) -> None:
    asked = {VARIABLE: f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "./medianest status stag"}
    assert form in ask(home, "./medianest", _TYPER_COMPLETE_FISH_ACTION="get-args", **asked)


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not on this machine")
def test_zsh_takes_its_script(home: Path) -> None:
    lines = (
        f"autoload -Uz compinit; compinit -u -d {home}/dump\n{SCRIPTS[Shell.ZSH]}\necho $_comps[medianest]"
    )
    assert ask(home, "zsh", "-fc", lines).strip() == "_medianest_completion"


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not on this machine")
def test_fish_completes_a_command_by_its_path(home: Path) -> None:
    lines = f"{SCRIPTS[Shell.FISH]}\ncomplete --do-complete './medianest status stag'"
    assert "staging" in ask(home, "fish", "--no-config", "-c", lines).split()


def test_components_and_suites_are_known() -> None:
    assert completion.components("g") == ["gateway"]
    assert completion.suites("li") == ["lint"]


def test_a_tree_that_is_no_project_completes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("ops.paths.project_root", lambda: tmp_path)
    assert completion.stacks("") == []


@pytest.mark.parametrize("shell", list(Shell))
def test_the_command_prints_the_script(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    from ops.__main__ import main

    with pytest.raises(SystemExit) as ended:
        main(["completion", shell])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"{SCRIPTS[shell]}\n"
