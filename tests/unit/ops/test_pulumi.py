"""The runner of the Pulumi command line, with a program in its place that does what it is told."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ops.errors import ExitCode, OperationError
from ops.project import Project
from ops.pulumi import Pulumi, said

# Says each of its arguments and variables in an event, then does what $ACT says.
FAKE = """#!/bin/sh
for last; do :; done
case "$1 $2" in
  "stack init") echo "encryptionsalt: v1:salt" >> "Pulumi.$3.yaml"; exit 0;;
  "preview --json") sleep ${SLEEP:-0}; echo "$PREVIEW"; echo "${SAID:-}" >&2; exit ${CODE:-0};;
  "stack export") echo "error: no stack named 's' found" >&2; exit 255;;
esac
while [ $# -gt 0 ]; do
  [ "$1" = --event-log ] && events=$2
  [ "$1" = --config-file ] && settings=$2
  shift
done
say() { printf '%s\\n' "$1" >> "$events"; }
echo "printed"
echo "encryptionsalt: v1:salt" >> "$settings"
say "{\\"settings\\": \\"$settings\\", \\"experimental\\": \\"$PULUMI_EXPERIMENTAL\\"}"
eval "$ACT"
say '{"cancelEvent": {}}'
exit ${CODE:-0}
"""


class Course:
    """What a run handed over."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []
        self.interrupts: list[int] = []


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "project"
    root.mkdir()
    (root / "Pulumi.yaml").write_text("name: demo\n")
    (root / "Pulumi.s.yaml").write_text("config: {}\n")
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(FAKE)
    program.chmod(0o755)
    return Project("demo", root)


def environment(project: Project, **variables: str) -> dict[str, str]:
    return {"PATH": f"{project.root.parent / 'bin'}:{os.environ['PATH']}", **variables}


def run(project: Project, course: Course, **variables: str) -> Any:
    with Pulumi(project, "s", environment(project, **variables)) as pulumi:
        return pulumi.change("up", course.events.append, course.interrupts.append)


def test_events_are_handed_over_and_the_output_is_kept_for_its_user_alone(project: Project) -> None:
    course = Course()
    outcome = run(project, course, CODE="3")
    assert outcome.exit_code == 3
    assert not outcome.interrupted
    assert course.events[-1] == {"cancelEvent": {}}
    assert outcome.said == "printed\n"
    assert outcome.log.stat().st_mode & 0o777 == 0o600


def test_the_settings_file_of_the_checkout_is_not_written_to(project: Project) -> None:
    course = Course()
    run(project, course)
    assert project.settings_file("s").read_text() == "config: {}\n"
    assert not Path(course.events[0]["settings"]).exists()


def test_a_stack_is_made_without_touching_the_checkout(project: Project) -> None:
    before = sorted(path.name for path in project.root.iterdir())
    with Pulumi(project, "s", environment(project)) as pulumi:
        pulumi.create_stack()
    assert project.settings_file("s").read_text() == "config: {}\n"
    assert sorted(path.name for path in project.root.iterdir()) == before


def test_a_stack_without_settings_can_still_be_removed(project: Project) -> None:
    project.settings_file("s").unlink()
    assert run(project, Course()).exit_code == 0


def test_a_stack_that_the_back_end_does_not_have_is_none(project: Project) -> None:
    with Pulumi(project, "s", environment(project)) as pulumi:
        assert pulumi.export() is None


def interrupt(times: int, seen: Callable[[], int]) -> None:
    """Send so many, each when the one before has been seen: two that wait are one to the kernel."""
    deadline = time.monotonic() + 20
    for number in range(1, times + 1):
        os.kill(os.getpid(), signal.SIGINT)
        while seen() < number and number < times and time.monotonic() < deadline:
            time.sleep(0.01)


# The shell waits for its child before it handles a signal, so the child has to be brief.
WAITING = "i=0; say '{\"ready\": true}'; while [ $i -lt 250 ]; do i=$((i+1)); sleep 0.02; done"
CAUGHT = 'say "{\\"caught\\": true}"'


@pytest.mark.parametrize(
    ("times", "act", "code"),
    [
        (1, f"trap '{CAUGHT}; i=250' INT; {WAITING}", 0),
        (2, f"trap '{CAUGHT}; n=x$n; [ $n = xx ] && exit 7' INT; {WAITING}", 7),
        (3, f"trap '' INT; {WAITING}", -signal.SIGKILL),
    ],
)
def test_interrupts_are_forwarded_and_the_third_kills(
    project: Project, times: int, act: str, code: int
) -> None:
    course, caught = Course(), Counter[str]()

    def seen() -> int:
        return caught["caught"] if CAUGHT in act else len(course.interrupts)

    sender = threading.Thread(target=interrupt, args=(times, seen))

    def on_event(event: Mapping[str, Any]) -> None:
        caught.update(event.keys())
        if "ready" in event:
            sender.start()

    with Pulumi(project, "s", environment(project, ACT=act)) as pulumi:
        outcome = pulumi.change("up", on_event, course.interrupts.append)
    sender.join()
    assert outcome.interrupted
    assert outcome.exit_code == code
    assert course.interrupts == list(range(1, times + 1))


def test_a_preview_works_on_the_settings_that_it_is_given_and_writes_none(project: Project) -> None:
    course, changed = Course(), "config: {demo:port: 1}\n"
    act = 'say "{\\"text\\": \\"$(head -1 $settings)\\"}"'
    with Pulumi(project, "s", environment(project, ACT=act), settings=changed) as pulumi:
        assert pulumi.preview(course.events.append).exit_code == 0
    assert {"text": changed.strip()} in course.events
    assert project.settings_file("s").read_text() == "config: {}\n"


@pytest.mark.parametrize(("saved", "experimental"), [(False, ""), (True, "true")])
def test_only_what_has_to_do_with_a_plan_asks_for_what_is_experimental(
    project: Project, tmp_path: Path, saved: bool, experimental: str
) -> None:
    course = Course()
    with Pulumi(project, "s", environment(project)) as pulumi:
        pulumi.preview(course.events.append, save=tmp_path / "plan" if saved else None)
    assert course.events[0]["experimental"] == experimental


def test_a_preview_that_hangs_is_killed(project: Project) -> None:
    began = time.monotonic()
    with Pulumi(project, "s", environment(project, ACT="sleep 60")) as pulumi:
        outcome = pulumi.preview(Course().events.append, limit_seconds=0.2)
    assert outcome.exit_code == -signal.SIGKILL
    assert time.monotonic() - began < 20


def test_the_handler_of_ctrl_c_is_put_back(project: Project) -> None:
    before = signal.getsignal(signal.SIGINT)
    run(project, Course())
    assert signal.getsignal(signal.SIGINT) is before


def test_what_outlives_pulumi_is_ended_and_not_waited_for(project: Project, tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    began = time.monotonic()
    # Holds the pipe of the events, as a plugin does when Pulumi is killed.
    outcome = run(project, Course(), ACT=f"sleep 60 & echo $! > {noted}; kill -9 $$")
    assert outcome.exit_code == -signal.SIGKILL
    assert time.monotonic() - began < 10
    assert ends(int(noted.read_text()))


def test_pulumi_is_stopped_when_its_events_cannot_be_handled(project: Project, tmp_path: Path) -> None:
    noted = tmp_path / "pid"

    def fail(_event: Mapping[str, Any]) -> None:
        raise LookupError("no such thing")

    act = f"trap 'exit 1' INT; echo $$ > {noted}; {WAITING}"
    with Pulumi(project, "s", environment(project, ACT=act)) as pulumi, pytest.raises(LookupError):
        pulumi.change("up", fail, Course().interrupts.append)
    assert not noted.exists() or ends(int(noted.read_text()))


def ends(process: int) -> bool:
    """Whether a process that was killed goes: that takes the kernel a moment."""
    deadline = time.monotonic() + 5
    while is_running(process) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_running(process)


def is_running(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_machine_without_pulumi_is_sent_to_setup(project: Project) -> None:
    with Pulumi(project, "s", {"PATH": "/nonexistent"}) as pulumi, pytest.raises(OperationError) as caught:
        pulumi.create_stack()
    assert caught.value.code is ExitCode.REFUSED
    assert "./medianest setup" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Updating (s):\nerror: it broke\n\n", "it broke"),
        ("error: it broke\n@ updating.....\n", "it broke"),
        ("", "it did not say why"),
    ],
)
def test_the_message_is_the_last_line_that_says_something(text: str, message: str) -> None:
    assert said(text) == message


def preview(project: Project, **variables: str) -> Mapping[str, Any]:
    with Pulumi(project, "s", environment(project, **variables)) as pulumi:
        return pulumi.preview_document()


def test_a_preview_leaves_the_settings_file_alone(project: Project) -> None:
    assert preview(project, PREVIEW='{"steps": []}') == {"steps": []}
    assert (project.root / "Pulumi.s.yaml").read_text() == "config: {}\n"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"CODE": "1", "PREVIEW": '{"diagnostics": [{"severity": "error", "message": "no such key"}]}'},
            "no such key",
        ),
        ({"CODE": "1", "PREVIEW": "", "SAID": "error: incorrect passphrase"}, "incorrect passphrase"),
        ({"PREVIEW": "no JSON"}, "it did not say why"),
    ],
)
def test_a_preview_that_fails_says_why(project: Project, variables: dict[str, str], message: str) -> None:
    with pytest.raises(OperationError, match=message):
        preview(project, **variables)


def test_a_document_that_does_not_come_is_not_waited_for(project: Project) -> None:
    began = time.monotonic()
    with (
        Pulumi(project, "s", environment(project, SLEEP="60")) as pulumi,
        pytest.raises(OperationError, match="cannot preview stack s: it took longer"),
    ):
        pulumi.preview_document(limit_seconds=0.2)
    assert time.monotonic() - began < 20
