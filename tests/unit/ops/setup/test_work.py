from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.setup.work import TAIL_LINES, CancelledWorkError, CommandFailedError, Work


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until, "it did not happen within 5 s"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        # A killed process stays as a zombie until its parent, or init, has taken note of it.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_a_command_says_is_in_the_log(work: Work, log: io.StringIO) -> None:
    work.run(["bash", "-c", "echo out; echo err >&2"])
    assert log.getvalue().splitlines() == ["$ bash -c echo out; echo err >&2", "out", "err"]


def test_output_is_stdout_alone(work: Work, log: io.StringIO) -> None:
    assert work.output(["bash", "-c", "echo out; echo err >&2"]) == "out\n"
    assert "err" in log.getvalue().splitlines()


def test_a_failure_carries_the_end_of_what_was_said(work: Work) -> None:
    with pytest.raises(CommandFailedError) as caught:
        work.run(["bash", "-c", "seq 100; exit 7"])
    assert (caught.value.command, caught.value.code) == ("bash", 7)
    assert caught.value.tail.splitlines() == [str(number) for number in range(101 - TAIL_LINES, 101)]


def test_a_program_that_is_not_there_is_a_failure(work: Work) -> None:
    with pytest.raises(CommandFailedError, match="no-such-program failed with exit code 127"):
        work.run(["no-such-program"])


def test_the_environment_is_laid_over_the_own_one(work: Work, tmp_path: Path) -> None:
    said = work.output(["bash", "-c", 'echo "$A" "$HOME"; pwd'], environment={"A": "b"}, directory=tmp_path)
    assert said == f"b {os.environ['HOME']}\n{tmp_path}\n"


def test_a_command_that_takes_too_long_is_stopped(work: Work) -> None:
    began = time.monotonic()
    with pytest.raises(CommandFailedError):
        work.run(["sleep", "30"], timeout=0.1)
    assert time.monotonic() - began < 5


def test_cancelling_leaves_no_child_behind(work: Work, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"trap '' TERM; (trap '' TERM; echo $BASHPID >>{pids}; sleep 30) & echo $$ >>{pids}; wait"
    ended: list[BaseException] = []

    def run() -> None:
        try:
            work.run(["bash", "-c", script])
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    work.cancel()
    thread.join(5)
    assert [type(error) for error in ended] == [CancelledWorkError]
    for pid in map(int, pids.read_text().split()):
        wait_for(lambda pid=pid: not alive(pid))  # type: ignore[misc]


def test_nothing_begins_after_cancelling(work: Work, tmp_path: Path) -> None:
    work.cancel()
    with pytest.raises(CancelledWorkError):
        work.run(["touch", str(tmp_path / "began")])
    assert not (tmp_path / "began").exists()


def test_an_activity_is_shown_with_its_usual_duration(work: Work, screen: io.StringIO) -> None:
    with work.activity("Building [it]", 200):
        pass
    first, last = screen.getvalue().splitlines()
    assert first == "Building [it] (usually 3 min)"
    assert last.startswith("✓ Building [it]")


def test_a_failed_activity_is_not_ticked_off(work: Work, screen: io.StringIO) -> None:
    with pytest.raises(ValueError, match="broken"), work.activity("Building", 5):
        raise ValueError("broken")
    assert "✓" not in screen.getvalue()
