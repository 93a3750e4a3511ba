from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from ops.errors import ExitCode, OperationError
from ops.setup.run import ensure
from ops.setup.work import Work


class FakeStep:
    """A step whose thing is there once it has been provided."""

    def __init__(
        self,
        name: str,
        after: tuple[str, ...] = (),
        provide: Callable[[Work], None] = lambda _: None,
        intends: str | None = None,
        lacks: list[str | None] | None = None,
    ) -> None:
        self.name = name
        self.after = after
        self._provide = provide
        self._intends = intends
        self._lacks = lacks if lacks is not None else ["absent", "absent", None]

    def missing(self) -> str | None:
        return self._lacks.pop(0) if len(self._lacks) > 1 else self._lacks[0]

    def intends(self) -> str | None:
        return self._intends

    def provide(self, work: Work) -> None:
        self._provide(work)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "medianest"


def test_nothing_missing_means_nothing_said_and_nothing_made(
    console: Console, screen: io.StringIO, cache: Path
) -> None:
    report = ensure(console, steps=[FakeStep("engine", lacks=[None])])
    assert report.nothing_to_do
    assert report.log is None
    assert [(step.name, step.state) for step in report.steps] == [("engine", "present")]
    assert screen.getvalue() == ""
    assert not cache.exists()


def test_only_what_is_missing_is_provided_and_reported(console: Console) -> None:
    did: list[str] = []
    steps = [
        FakeStep("engine", lacks=[None], provide=lambda _: did.append("engine")),
        FakeStep("base", after=("engine",), provide=lambda _: did.append("base")),
    ]
    document = ensure(console, steps=steps).as_json()
    assert did == ["base"]
    assert [(step["name"], step["state"]) for step in document["steps"]] == [
        ("engine", "present"),
        ("base", "provided"),
    ]
    assert document["steps"][1]["seconds"] >= 0
    assert Path(document["log"]).is_file()


def test_a_step_waits_for_those_that_it_needs_and_the_others_run_beside(console: Console) -> None:
    tools_began = threading.Event()
    did: list[str] = []

    def engine(_: Work) -> None:
        assert tools_began.wait(5), "the tools should run beside the engine"
        did.append("engine")

    steps = [
        FakeStep("base", after=("engine",), provide=lambda _: did.append("base")),
        FakeStep("engine", provide=engine),
        FakeStep("tools", provide=lambda _: tools_began.set()),
    ]
    ensure(console, steps=steps)
    assert did == ["engine", "base"]


def test_what_another_set_up_has_provided_meanwhile_is_left_alone(console: Console) -> None:
    def fail(_: Work) -> None:
        raise AssertionError("provided twice")

    report = ensure(console, steps=[FakeStep("engine", lacks=["absent", None], provide=fail)])
    assert report.nothing_to_do


def test_the_first_failure_stops_the_others_and_names_the_log(console: Console) -> None:
    began = threading.Event()

    def long(work: Work) -> None:
        began.set()
        work.run(["sleep", "30"])

    def fail(_: Work) -> None:
        began.wait(5)
        raise OperationError("the archive cannot be reached", "Check the network.", ExitCode.REFUSED)

    before = time.monotonic()
    with pytest.raises(OperationError, match=r"^the archive cannot be reached$") as caught:
        ensure(console, steps=[FakeStep("tools", provide=long), FakeStep("engine", provide=fail)])
    assert time.monotonic() - before < 10
    assert caught.value.code is ExitCode.REFUSED
    first, second = caught.value.hint.splitlines()
    assert first == "Check the network."
    log = Path(second.removeprefix("The full log: "))
    assert "$ sleep 30" in log.read_text()


def test_a_step_that_did_not_help_is_a_failure(console: Console) -> None:
    with pytest.raises(OperationError, match="tools: still missing after set-up: absent"):
        ensure(console, steps=[FakeStep("tools", lacks=["absent"])])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_stops_the_commands_and_says_how_to_go_on(
    console: Console, number: signal.Signals, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"

    def long(work: Work) -> None:
        threading.Timer(0.3, os.kill, (os.getpid(), number)).start()
        work.run(["bash", "-c", f"echo $$ >{pid_file}; exec sleep 30"])

    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(OperationError, match="interrupted") as caught:
            ensure(console, steps=[FakeStep("tools", provide=long)])
    finally:
        signal.signal(signal.SIGINT, former)
    assert caught.value.code is ExitCode.INTERRUPTED
    assert "carries on" in caught.value.hint
    assert not Path(f"/proc/{pid_file.read_text().strip()}").exists()


class Answers(Console):
    """A terminal on which a person answers."""

    def __init__(self, answer: str) -> None:
        super().__init__(file=io.StringIO(), width=200)
        self.answer = answer
        self.asked = 0

    def input(self, *_: object, **__: object) -> str:
        self.asked += 1
        return self.answer

    @property
    def said(self) -> str:
        assert isinstance(self.file, io.StringIO)
        return self.file.getvalue()


def changing_steps(did: list[str]) -> list[FakeStep]:
    return [
        FakeStep("engine", intends="install the engine", provide=lambda _: did.append("engine")),
        FakeStep("base", intends="install mmdebstrap", provide=lambda _: did.append("base")),
    ]


@pytest.mark.parametrize("answer", ["", "y", "Yes"])
def test_on_a_terminal_it_asks_once_for_all(answer: str) -> None:
    person, did = Answers(answer), list[str]()
    ensure(person, interactive=True, steps=changing_steps(did))
    assert person.asked == 1
    assert sorted(did) == ["base", "engine"]
    assert "install the engine" in person.said
    assert "install mmdebstrap" in person.said


@pytest.mark.parametrize("answer", ["n", "no", "what?"])
def test_any_other_answer_changes_nothing(answer: str) -> None:
    person, did = Answers(answer), list[str]()
    with pytest.raises(OperationError, match="nothing was changed") as caught:
        ensure(person, interactive=True, steps=changing_steps(did))
    assert caught.value.code is ExitCode.REFUSED
    assert did == []


@pytest.mark.parametrize(("assume_yes", "interactive"), [(True, True), (False, False)])
def test_with_yes_or_without_a_terminal_it_goes_ahead_and_says_so(
    assume_yes: bool, interactive: bool
) -> None:
    person, did = Answers("n"), list[str]()
    ensure(person, assume_yes=assume_yes, interactive=interactive, steps=changing_steps(did))
    assert person.asked == 0
    assert sorted(did) == ["base", "engine"]
    assert "Set-up will change this system" in person.said


def test_steps_that_stay_within_the_users_files_ask_nothing() -> None:
    person = Answers("n")
    ensure(person, interactive=True, steps=[FakeStep("tools")])
    assert person.asked == 0


def test_old_logs_are_removed(console: Console, cache: Path) -> None:
    logs = cache / "logs"
    logs.mkdir(parents=True)
    for number in range(30):
        (logs / f"setup-20200101T0000{number:02}-1.log").touch()
    (logs / "other.log").touch()
    ensure(console, steps=[FakeStep("tools")])
    assert len(list(logs.glob("setup-*.log"))) == 20
    assert (logs / "other.log").exists()
