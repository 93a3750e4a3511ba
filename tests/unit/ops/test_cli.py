"""The command line as its users meet it: help, errors, exit codes, start-up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from ops.__main__ import main
from ops.cli import app
from ops.errors import ExitCode, OperationError
from ops.output import megabytes, seconds
from ops.project import Project
from ops.session import Session


def run(*arguments: str) -> int:
    """The exit code of a command, whichever way it ends."""
    try:
        return main([*arguments])
    except SystemExit as ended:
        return int(ended.code or 0)


def commands_of(group: typer.core.TyperGroup, *path: str) -> Iterator[tuple[str, ...]]:
    """Every command as it is called, those of groups too."""
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, typer.core.TyperGroup):
            yield from commands_of(command, *path, name)


COMMANDS = sorted(commands_of(typer.main.get_group(app)))
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_examples(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*command, "--help") == 0
    said = capsys.readouterr().out
    assert f"./medianest {' '.join(command)}" in said
    assert "Examples" in said


def test_groups_are_among_them() -> None:
    assert {("drift",), ("preview",), ("env",), ("env", "reap"), ("state", "restore")} <= set(COMMANDS)


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["backup", "stagin"], "stack 'stagin' is not known"),
        (["backup", "staging"], "stack staging is not deployed"),
        (["backup", "list", "staging"], ""),
        (["restore", "staging"], "takes a backup's FILE"),
        (["backup", "schedule", "staging"], "have no schedule"),
        (["backup", "staging", "--due"], ""),
        (["backup", "--due"], ""),
        (["state", "restore", "staging"], "no good copy"),
    ],
)
def test_backups_and_states_of_stacks_that_have_none(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert bool(run(*arguments)) == bool(words)
    assert words in capsys.readouterr().err


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("upp") == ExitCode.USAGE
    assert "upp" in capsys.readouterr().err


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A project without any stack, and an engine that does not answer."""
    (tmp_path / "Pulumi.yaml").write_text("name: demo\n")
    (tmp_path / "Pulumi.staging.yaml").write_text("config: {}\n")
    environment = {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "DOCKER_HOST": f"unix://{tmp_path}/no.sock",
    }
    session = Session(Project("demo", tmp_path), environment)
    monkeypatch.setattr("ops.session.open_session", lambda: session)
    return session


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("command", ["status", "verify", "logs", "down", "releases"])
def test_an_unknown_stack_is_answered_with_near_names(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, "stagin") == ExitCode.USAGE
    said = capsys.readouterr()
    assert "error: stack 'stagin' is not known" in said.err
    assert "Did you mean staging?" in said.err
    assert said.out == ""


@pytest.mark.usefixtures("session")
def test_a_stack_that_is_not_deployed_says_how_to_deploy_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", "staging") == ExitCode.FAILED
    assert "./medianest up staging" in capsys.readouterr().err


@pytest.mark.usefixtures("session")
def test_with_json_an_error_is_one_document_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", "nope", "--json") == ExitCode.USAGE
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["code"] == ExitCode.USAGE
    assert "nope" in document["error"]["message"]
    assert document["error"]["hint"]


def test_an_engine_that_does_not_answer_is_named(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("logs", "staging") == ExitCode.REFUSED
    assert session.environment["DOCKER_HOST"] in capsys.readouterr().err


@pytest.mark.usefixtures("session")
def test_stacks_are_listed_also_without_an_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--json") == 0
    said = capsys.readouterr()
    (entry,) = json.loads(said.out)["stacks"]
    assert (entry["stack"], entry["settings"], entry["state"]) == ("staging", True, False)
    assert "no Docker engine answers" in said.err


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise LookupError("a bug")

    monkeypatch.setattr("ops.session.open_session", fail)


@pytest.mark.usefixtures("broken")
def test_a_bug_ends_in_one_message_and_the_way_to_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == ExitCode.FAILED
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "LookupError: a bug" in said
    assert "--debug" in said


@pytest.mark.usefixtures("broken")
def test_debug_shows_where_it_happened() -> None:
    with pytest.raises(LookupError):
        main(["--debug", "list"])
    with pytest.raises(LookupError):
        main(["list", "--debug"])


def test_an_interrupt_ends_with_its_own_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ops.session.open_session", interrupt)
    assert run("list") == ExitCode.INTERRUPTED
    assert "error: interrupted" in capsys.readouterr().err


@pytest.mark.usefixtures("session")
def test_removing_a_stack_that_is_not_there_needs_no_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class NoEngine:
        pass

    monkeypatch.setattr("ops.engine.connect", lambda _environment: NoEngine())
    monkeypatch.setattr("ops.engine.resources", lambda *_, **__: [])
    assert run("down", "staging", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"stack": "staging", "removed": False}


def test_starting_the_command_line_loads_nothing_heavy() -> None:
    heavy = "{'pulumi', 'docker', 'requests', 'pytest', 'pydantic', 'yaml'}"
    code = f"import sys, ops.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("given", "text"), [(0.44, "0.4 s"), (59.0, "59.0 s"), (125.2, "2 min 5 s"), (7320, "2 h 2 min")]
)
def test_durations_read_as_people_say_them(given: float, text: str) -> None:
    assert seconds(given) == text


def test_sizes_are_decimal_as_docker_counts() -> None:
    assert megabytes(146_900_000) == "147 MB"


def test_details_of_an_error_go_into_the_document_beside_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise OperationError("not verified", "look", ExitCode.NOT_VERIFIED, {"stack": "s"})

    monkeypatch.setattr("ops.session.open_session", fail)
    assert run("list", "--json") == ExitCode.NOT_VERIFIED
    assert json.loads(capsys.readouterr().out) == {
        "stack": "s",
        "error": {"message": "not verified", "hint": "look", "code": 4},
    }
