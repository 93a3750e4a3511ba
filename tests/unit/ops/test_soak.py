"""`soak`: what a check's lines mean, what it runs in, and how its end is told."""

from __future__ import annotations

import json
import queue
from contextvars import copy_context
from pathlib import Path
from typing import Any, cast

import pytest
from docker import APIClient

from components import labels
from components.hardening.kinds import SOAK, refuse_to_create
from components.settings import VerificationSettings
from ops import soak
from ops.__main__ import main
from ops.errors import ExitCode, OperationError
from ops.one_shot import beside
from ops.output import Output, Verbosity, verbosity
from ops.project import Project
from ops.session import Session
from ops.soak_report import KEPT_LINES, Figure, Patience, SoakRun

HITS = {"name": "hits", "value": 97.5, "unit": "%", "goal": "at least 95 %", "ok": True}
SLOW = {"name": "p99", "value": None, "unit": "ms"}
BACKEND = {
    "Image": f"sha256:{'a' * 64}",
    "Config": {
        "User": "1001",
        "Env": ["PORT=3000", "DEMO_USER=demo", "DATABASE_URL_FILE=/run/secrets/database_url", "EMPTY="],
        "Labels": {
            labels.PROJECT: "p",
            labels.STACK: "s",
            labels.OWNER: "me",
            labels.COMPONENT: "backend",
            labels.RELEASE: "r",
            "maintainer": "somebody",
        },
    },
    "Mounts": [
        {"Type": "volume", "Name": "p-s-backend-secrets", "Destination": "/run/secrets"},
        {"Type": "volume", "Name": "p-s-media", "Destination": "/media"},
    ],
}


def told(**more: Any) -> str:
    return json.dumps({"elapsed": 12.34, "figures": [HITS, SLOW], **more})


def folded(*lines: str) -> SoakRun:
    run = SoakRun()
    for line in lines:
        run.take(line)
    return run


def test_progress_is_the_last_line_that_was_told() -> None:
    run = folded(json.dumps({"elapsed": 1, "figures": []}), told())
    assert run.elapsed == 12.34
    assert run.figures == (
        Figure("hits", 97.5, "%", "at least 95 %", True),
        Figure("p99", None, "ms"),
    )
    assert run.verdict == ""
    assert not run.log


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        "[]",
        "3",
        "null",
        '{"elapsed": 1}',
        '{"elapsed": "soon", "figures": []}',
        '{"elapsed": 1, "figures": [3]}',
        '{"elapsed": 1, "figures": [{"name": "x"}]}',
        '{"elapsed": 1, "figures": [{"name": "x", "value": [1]}]}',
        '{"elapsed": 1, "figures": [{"name": "x", "value": 1, "ok": "yes"}]}',
        '{"elapsed": 1, "figures": [], "verdict": "maybe"}',
        '{"elapsed": 1, "figures": [], "verdict": "failed", "reasons": 3}',
    ],
)
def test_what_is_not_of_the_protocol_is_a_line_of_the_log(line: str) -> None:
    run = folded(told())
    assert run.take(line) is False
    assert list(run.log) == [line]
    assert run.elapsed == 12.34


def test_the_log_is_kept_by_its_end() -> None:
    run = folded(*(f"line {number}" for number in range(100)))
    assert list(run.log) == [f"line {number}" for number in range(100 - KEPT_LINES, 100)]


@pytest.mark.parametrize(
    ("lines", "exit_code", "ended_for", "reasons"),
    [
        ([told(verdict="passed", reasons=[])], 0, "", []),
        ([told(verdict="failed", reasons=["a", "b"])], 1, "", ["a", "b"]),
        ([told(verdict="failed", reasons=[])], 1, "", ["it gives no reason"]),
        ([told(verdict="failed", reasons=["a"])], 0, "", ["a"]),
        ([told(verdict="passed")], 1, "", ["it says passed, but ended with exit code 1"]),
        ([told()], 0, "", ["it ended without a verdict (exit code 0)"]),
        (["Killed"], 137, "", ["it ended without a verdict (exit code 137)"]),
        ([told()], 137, "it told nothing for 60 s", ["it told nothing for 60 s"]),
        ([told(verdict="passed")], 137, "late", ["late", "it says passed, but ended with exit code 137"]),
    ],
)
def test_only_a_verdict_and_its_exit_code_together_pass(
    lines: list[str], exit_code: int, ended_for: str, reasons: list[str]
) -> None:
    assert folded(*lines).reasons(exit_code, ended_for) == reasons


def test_nothing_counts_after_the_verdict() -> None:
    run = folded(told(verdict="failed", reasons=["a"]), told(verdict="passed"))
    assert run.reasons(1) == ["a"]


def test_a_line_shows_what_has_a_goal() -> None:
    missed = {**HITS, "name": "logins", "value": 90, "ok": False}
    line = folded(json.dumps({"elapsed": 70, "figures": [HITS, missed, SLOW]})).line()
    assert line.split("  ")[-1] == "hits 97.5 %, logins 90 % (!)"
    assert "1 min 10 s" in line


def test_the_table_shows_figures_as_they_were_told(capsys: pytest.CaptureFixture[str]) -> None:
    odd = {**HITS, "name": "[red]odd[/]", "ok": False, "note": "status 503: 1"}
    Output().show(folded(json.dumps({"elapsed": 1, "figures": [HITS, odd, SLOW]})).table())
    said = capsys.readouterr().out
    assert "97.5 %" in said
    assert "[red]odd[/]" in said
    assert "status 503: 1" in said
    assert said.count("yes") == said.count(" no ") == 1


@pytest.mark.parametrize(
    ("now", "heard", "asked", "words"),
    [
        (99.0, 98.0, None, ""),
        (101.0, 100.0, None, "did not end within 1 min 40 s"),
        (50.0, 39.0, None, "told nothing for 10 s"),
        (50.0, 49.0, 46.0, ""),
        (52.0, 51.0, 46.0, "did not stop within 5 s"),
    ],
)
def test_patience_has_an_end(now: float, heard: float, asked: float | None, words: str) -> None:
    found = Patience(limit=100, silence=10, stop=5).ended_for(now, 0.0, heard, asked)
    assert words in found
    assert bool(words) == bool(found)


def test_it_runs_in_what_the_backend_is_but_never_as_the_backend() -> None:
    found = beside(BACKEND, SOAK, ["check"], "p-s-public")
    assert (found.image, found.user, found.network) == (f"sha256:{'a' * 64}", "1001", "p-s-public")
    assert found.environment["DATABASE_URL_FILE"] == "/run/secrets/database_url"
    assert found.environment["EMPTY"] == ""
    assert found.secrets_volume == "p-s-backend-secrets"
    assert found.labels == {
        labels.PROJECT: "p",
        labels.STACK: "s",
        labels.OWNER: "me",
        labels.COMPONENT: "soak",
    }


def test_it_is_hardened_as_every_container() -> None:
    found = beside(BACKEND, SOAK, ["check"], "p-s-public")
    host = found.host_arguments()
    assert "noexec" in host["tmpfs"]["/tmp"]
    # Only the secret files, and those to read.
    (mount,) = host["mounts"]
    assert mount == {
        "Target": "/run/secrets",
        "Source": "p-s-backend-secrets",
        "Type": "volume",
        "ReadOnly": True,
    }
    api = APIClient(base_url="unix:///nowhere", version="1.41")
    config = api.create_container_config(**found.arguments(), host_config=api.create_host_config(**host))
    refuse_to_create(SOAK, "soak", config)
    assert config["HostConfig"]["NetworkMode"] == "p-s-public"


def test_the_checks_are_commands_of_the_settings() -> None:
    checks = VerificationSettings().soak
    assert soak.command_of(checks, "memory") == ["python", "-m", "medianest.soak", "memory"]
    with pytest.raises(OperationError) as caught:
        soak.command_of(checks, "auth-cach")
    assert caught.value.code is ExitCode.USAGE
    assert "Did you mean auth-cache?" in caught.value.hint
    assert "auth-cache, memory, workers" in caught.value.hint
    with pytest.raises(OperationError, match="not known") as caught:
        soak.command_of({}, "memory")
    assert "has no checks" in caught.value.hint


class Container:
    """Gives lines as a running one-shot does, and notes the signals that it gets."""

    def __init__(self, *lines: tuple[str, str], ends: bool = True) -> None:
        self.lines: queue.Queue[tuple[str, str] | None] = queue.Queue()
        self.signals: list[str] = []
        for line in lines:
            self.lines.put(line)
        if ends:
            self.lines.put(None)

    def signal(self, name: str) -> None:
        self.signals.append(name)
        if name == "SIGKILL" or name == "SIGTERM":
            self.lines.put(None)


def watched(container: Container, received: list[int], patience: Patience) -> tuple[SoakRun, str]:
    run, view = SoakRun(), soak.View("Soak")
    with view.of(run):
        return run, soak.watch(cast(Any, container), view, received, patience)


def test_a_check_is_followed_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [("stderr", "a warning"), ("stdout", told(verdict="passed"))]
    run, ended_for = watched(Container(*lines), [], Patience(100))
    assert (run.verdict, ended_for, list(run.log)) == ("passed", "", ["a warning"])
    assert "a warning" not in capsys.readouterr().err


def test_with_verbose_its_log_is_shown_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    context = copy_context()
    context.run(verbosity.set, Verbosity.VERBOSE)
    context.run(watched, Container(("stderr", "a warning"), ("stdout", "a print")), [], Patience(100))
    assert capsys.readouterr().err.splitlines() == ["Soak", "a warning", "a print"]


def test_the_first_interrupt_asks_it_to_stop(capsys: pytest.CaptureFixture[str]) -> None:
    container = Container(ends=False)
    _, ended_for = watched(container, [2], Patience(100))
    assert (container.signals, ended_for) == (["SIGTERM"], "")
    assert "Ctrl-C again" in capsys.readouterr().err


def test_the_second_interrupt_kills_it() -> None:
    container = Container(("stdout", told()), ends=False)
    _, ended_for = watched(container, [2, 2], Patience(100))
    assert container.signals == ["SIGTERM", "SIGKILL"]
    assert "killed" in ended_for


def test_a_check_that_tells_nothing_is_killed() -> None:
    container = Container(ends=False)
    _, ended_for = watched(container, [], Patience(100, silence=0.0))
    assert container.signals == ["SIGKILL"]
    assert "told nothing" in ended_for


def report(**changes: Any) -> dict[str, Any]:
    base = {"stack": "s", "check": "memory", "seconds": 3.0, "verdict": "passed", "reasons": []}
    return {**base, "interrupted": False, **changes}


def test_a_pass_is_told_with_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    soak.conclude(Output(), folded(told(verdict="passed")), report())
    said = capsys.readouterr().out
    assert "Soak memory of stack s passed." in said
    assert "97.5 %" in said


def test_a_failure_tells_its_reasons_and_the_end_of_the_log() -> None:
    run = folded("Killed")
    with pytest.raises(OperationError) as caught:
        soak.conclude(Output(as_json=True), run, report(verdict="failed", reasons=["it ended", "so"]))
    assert caught.value.code is ExitCode.FAILED
    assert "  - it ended\n  - so\n" in caught.value.message
    assert caught.value.message.endswith("    Killed")
    assert caught.value.details["verdict"] == "failed"


def test_an_interrupted_run_tells_the_verdict_of_what_it_has_seen() -> None:
    with pytest.raises(OperationError, match="it has passed by what it has seen") as caught:
        soak.conclude(Output(as_json=True), folded(told(verdict="passed")), report(interrupted=True))
    assert caught.value.code is ExitCode.INTERRUPTED


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with one stack that is not deployed."""
    (tmp_path / "Pulumi.yaml").write_text("name: demo\n")
    (tmp_path / "Pulumi.staging.yaml").write_text("config: {}\n")
    found = Session(Project("demo", tmp_path), {"PULUMI_BACKEND_URL": f"file://{tmp_path}"})
    monkeypatch.setattr("ops.session.open_session", lambda: found)


def run(*arguments: str) -> int:
    try:
        return main([*arguments])
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["memory", "stagin"], ExitCode.USAGE, "Did you mean staging?"),
        (["memori", "staging"], ExitCode.USAGE, "Did you mean memory?"),
        (["memory", "staging"], ExitCode.REFUSED, "./medianest up staging"),
        (["memory", "staging", "--minutes", "0"], ExitCode.USAGE, "--minutes"),
        (["memory", "staging", "--minutes", "2881"], ExitCode.USAGE, "--minutes"),
        (["memory"], ExitCode.USAGE, "STACK"),
    ],
)
def test_what_cannot_be_run_says_why(
    arguments: list[str], code: ExitCode, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("soak", *arguments) == code
    assert words in capsys.readouterr().err


class Engine:
    """Knows containers by their name."""

    def __init__(self, **running: bool) -> None:
        self._running = running

    def inspect_container(self, name: str) -> dict[str, Any]:
        from docker.errors import NotFound

        if name not in self._running:
            raise NotFound(name)
        return {**BACKEND, "State": {"Running": self._running[name]}}


class State:
    outputs = {  # noqa: RUF012
        "containers": {"backend": ["one", "two"], "gateway": ["gateway"]},
        "networks": {"public": "p-s-public"},
    }


def test_the_check_is_told_where_the_stack_is() -> None:
    engine = cast(Any, Engine(two=True, gateway=True))
    found = soak.declare(engine, "s", cast(Any, State()), ["check"], 0.5)
    assert {name: found.environment[name] for name in ("SOAK_MINUTES", "TARGET_URL", "DEMO_USER")} == {
        "SOAK_MINUTES": "0.5",
        "TARGET_URL": "http://gateway:8080",
        "DEMO_USER": "demo",
    }
    assert (found.environment["BACKEND_HOST"], found.environment["BACKEND_PORT"]) == ("backend", "3000")


@pytest.mark.parametrize("running", [{"one": False, "gateway": True}, {"one": True}, {}])
def test_a_stack_that_does_not_run_is_refused(running: dict[str, bool]) -> None:
    with pytest.raises(OperationError, match="does not run") as caught:
        soak.declare(cast(Any, Engine(**running)), "s", cast(Any, State()), ["check"], 1)
    assert caught.value.code is ExitCode.REFUSED
