"""How much a command says, in which colours, and what it answers to a slip of the finger."""

from __future__ import annotations

import io
import sys

import pytest

from ops.__main__ import global_options_first, main
from ops.errors import ExitCode
from ops.output import Output, Verbosity, is_coloured, verbosity
from ops.progress import Progress

STEP = {"urn": "urn:pulumi:s::p::docker:index/volume:Volume::data", "op": "same", "type": "Volume"}
UNCHANGED = ({"resourcePreEvent": {"metadata": STEP}}, {"resOutputsEvent": {"metadata": STEP}})


def run(*arguments: str) -> int:
    try:
        return main([*arguments])
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """What `list` says on standard error with the options given, where it has progress to tell."""
    capsys: pytest.CaptureFixture[str] = request.getfixturevalue("capsys")

    def tell() -> None:
        Output().progress("a line of progress")
        with Progress("Deploying") as progress:
            for event in UNCHANGED:
                progress.take(event)
        raise LookupError("the error")

    monkeypatch.setattr("ops.session.open_session", tell)
    run("list", *request.param)
    return capsys.readouterr().err


@pytest.mark.parametrize("said", [("-q",), ("--quiet",)], indirect=True)
def test_quiet_leaves_the_error(said: str) -> None:
    assert said.startswith("error: unexpected LookupError: the error")


@pytest.mark.parametrize("said", [()], indirect=True)
def test_progress_is_what_changes(said: str) -> None:
    assert "a line of progress\nDeploying\nerror:" in said


@pytest.mark.parametrize("said", [("-v",), ("--verbose",)], indirect=True)
def test_verbose_tells_also_what_did_not_change(said: str) -> None:
    assert "data (Volume) unchanged" in said


def test_a_command_leaves_no_verbosity_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.session.open_session", lambda: 1 / 0)
    run("list", "-q")
    assert verbosity.get() is Verbosity.NORMAL


def test_quiet_and_verbose_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "-q", "-v") == ExitCode.USAGE
    assert "exclude each other" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (["up", "s", "-q"], ["-q", "up", "s"]),
        (["logs", "s", "--debug", "-f"], ["--debug", "logs", "s", "-f"]),
        (["up", "--", "-q"], ["up", "--", "-q"]),
    ],
)
def test_options_of_every_command_may_stand_anywhere(given: list[str], taken: list[str]) -> None:
    assert global_options_first(given) == taken


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "variables", "coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    stream: io.StringIO, variables: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_coloured(stream) is coloured


def test_results_have_no_escapes_without_a_terminal_or_with_no_color(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for stream, variable in ((io.StringIO(), ""), (Terminal(), "1")):
        monkeypatch.setenv("NO_COLOR", variable)
        monkeypatch.setattr(sys, "stdout", stream)
        Output().show("[green]well[/]")
        assert stream.getvalue() == "well\n"


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["verfy"], "Did you mean 'verify'?"),
        (["secrets", "rotat"], "Did you mean 'rotate'?"),
        (["status", "s", "--jsn"], "--json"),
        (["--qiet", "list"], "--quiet"),
    ],
)
def test_a_mistyped_command_or_option_has_a_suggestion(
    arguments: list[str], suggestion: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == ExitCode.USAGE
    assert suggestion in capsys.readouterr().err
