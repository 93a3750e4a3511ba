"""`test`: runs every suite, tells which have failed."""

from __future__ import annotations

import json
import sys

import pytest

from ops.__main__ import main
from ops.errors import ExitCode
from ops.suites import Suite, suites


def suite(name: str, code: int, *, quick: bool = True) -> Suite:
    return Suite(name, (sys.executable, "-c", f"print('{name} says hello'); raise SystemExit({code})"), quick)


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[Suite]:
    given: list[Suite] = []
    monkeypatch.setattr("ops.run_tests.suites", lambda: given)
    monkeypatch.setattr("ops.up.ensure_setup", lambda *_, **__: None)
    monkeypatch.setattr("ops.environment.pulumi_variables", dict)
    return given


def test_all_run_also_after_one_has_failed(chosen: list[Suite], capfd: pytest.CaptureFixture[str]) -> None:
    chosen += [suite("one", 0), suite("two", 3), suite("three", 0)]
    assert main(["test", "--json"]) == ExitCode.FAILED
    said = capfd.readouterr()
    document = json.loads(said.out)
    assert [(item["name"], item["passed"], item["exit_code"]) for item in document["suites"]] == [
        ("one", True, 0),
        ("two", False, 3),
        ("three", True, 0),
    ]
    assert document["error"]["message"] == "failed: two"
    assert "three says hello" in said.err


@pytest.mark.parametrize(
    ("options", "ran"),
    [
        ([], ["quick"]),
        (["--all"], ["quick", "long"]),
        (["long"], ["long"]),
        (["long", "quick"], ["quick", "long"]),
    ],
)
def test_what_takes_long_runs_only_when_asked_for(
    chosen: list[Suite], options: list[str], ran: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    chosen += [suite("quick", 0), suite("long", 0, quick=False)]
    with pytest.raises(SystemExit) as ended:
        main(["test", *options, "--json"])
    assert ended.value.code == 0
    assert [item["name"] for item in json.loads(capfd.readouterr().out)["suites"]] == ran


def test_what_the_suites_say_goes_straight_through(
    chosen: list[Suite], capfd: pytest.CaptureFixture[str]
) -> None:
    chosen.append(suite("one", 0))
    with pytest.raises(SystemExit):
        main(["test"])
    assert "one says hello" in capfd.readouterr().out


def test_checks_of_the_code_are_part_of_it() -> None:
    commands = [" ".join(suite.command[1:]) for suite in suites() if suite.quick]
    assert any("ruff check" in command for command in commands)
    assert any("ruff format --check" in command for command in commands)
    assert any("mypy" in command for command in commands)
    assert any("tests/unit" in command for command in commands)


def test_a_suite_that_there_is_not_is_named(chosen: list[Suite], capfd: pytest.CaptureFixture[str]) -> None:
    chosen += [suite("unit", 0), suite("images", 0)]
    assert main(["test", "unti"]) == ExitCode.USAGE
    said = capfd.readouterr().err
    assert "suite 'unti' is not known" in said
    assert "Did you mean unit?" in said


def test_what_only_reads_the_tree_needs_no_set_up(
    chosen: list[Suite], monkeypatch: pytest.MonkeyPatch
) -> None:
    def set_up(_output: object, _yes: bool, *, browser: bool) -> None:
        raise AssertionError("nothing of it is needed")

    monkeypatch.setattr("ops.up.ensure_setup", set_up)
    chosen.append(Suite("lint", (sys.executable, "-c", ""), static=True))
    with pytest.raises(SystemExit) as ended:
        main(["test", "lint"])
    assert ended.value.code == 0


@pytest.mark.parametrize("browser", [True, False])
def test_chromium_is_provided_only_for_what_needs_it(
    chosen: list[Suite], monkeypatch: pytest.MonkeyPatch, browser: bool
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr("ops.up.ensure_setup", lambda _output, _yes, browser: asked.append(browser))
    chosen.append(Suite("one", (sys.executable, "-c", ""), browser=browser))
    with pytest.raises(SystemExit):
        main(["test", "one"])
    assert asked == [browser]
