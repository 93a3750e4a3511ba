"""A Pulumi whose medianest was killed: which process is one, and what becomes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import left_alone as module
from ops.child import interrupted_with_parent
from ops.left_alone import end_left_alone, left_alone
from ops.lock import this_host
from ops.project import Project
from ops.session import Session

PULUMI = "pulumi\0up\0--event-log\0/dev/fd/7\0"
MEDIANEST = "/venv/bin/python\0-m\0ops\0up\0"


def process(proc: Path, pid: int, parent: int, command_line: str) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "cmdline").write_text(command_line)
    (proc / str(pid) / "stat").write_text(f"{pid} (a (name) x) S {parent} {pid} {pid} 0")


@pytest.mark.parametrize(
    ("command_line", "parent", "alone"),
    [
        (PULUMI, "/sbin/init\0", True),
        (PULUMI, "/bin/bash\0-m\0", True),
        (PULUMI, MEDIANEST, False),
        # Somebody's own, whoever started it.
        ("pulumi\0up\0--yes\0", "/sbin/init\0", False),
    ],
)
def test_which_process_is_one(tmp_path: Path, command_line: str, parent: str, alone: bool) -> None:
    process(tmp_path, 7, 1, command_line)
    process(tmp_path, 1, 0, parent)
    assert left_alone(7, tmp_path) is alone
    assert not left_alone(8, tmp_path)


# Named as Pulumi is, and does with an interrupt what $1 says.
FAKE = '#!/bin/bash\ntrap "$1" INT\necho $$ > "$2"\nfor i in {1..600}; do sleep 0.05; done\n'


@pytest.fixture
def session(tmp_path: Path) -> Session:
    state = tmp_path / "state"
    return Session(Project("demo", tmp_path), {"PULUMI_BACKEND_URL": f"file://{state}"})


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    program = tmp_path / "pulumi"
    program.write_text(FAKE)
    program.chmod(0o755)
    return program


@pytest.fixture
def started(fake: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    """A Pulumi that was left alone by a parent that has ended; it answers an interrupt so."""
    noted = tmp_path / "pid"
    start = (
        "import subprocess, sys;"
        " subprocess.Popen(sys.argv[1:], start_new_session=True, stdin=-3, stdout=-3, stderr=-3)"
    )
    command = [fake, request.param, noted, "--event-log"]
    subprocess.run([sys.executable, "-c", start, *command], check=True)
    wait_for(noted)
    pid = int(noted.read_text())
    yield pid
    if Path(f"/proc/{pid}").exists():
        os.kill(pid, signal.SIGKILL)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 10
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def lock(session: Session, pid: int) -> None:
    assert session.files
    directory = session.files.locks("demo", "s")
    directory.mkdir(parents=True)
    content = {"pid": pid, "username": "ada", "hostname": this_host(), "timestamp": "2026-11-23T22:10:00Z"}
    (directory / "one.json").write_text(json.dumps(content))


@pytest.mark.parametrize("started", ["exit 0", "n=x$n; [ $n = xx ] && exit 0", ""], indirect=True)
def test_it_is_asked_to_stop_and_in_the_end_killed(
    session: Session, started: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(module, "STOP_SECONDS", 0.15)
    lock(session, started)
    said: list[str] = []
    end_left_alone(session, "s", said.append)
    assert len(said) == 1
    assert f"process {started}" in said[0]
    deadline = time.monotonic() + 5
    while is_running(started) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(started)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_without_a_lock_nobody_is_waited_for(session: Session) -> None:
    end_left_alone(session, "s", pytest.fail)


def test_a_child_is_interrupted_when_its_parent_is_killed(fake: Path, tmp_path: Path) -> None:
    noted, ended = tmp_path / "pid", tmp_path / "ended"
    command = interrupted_with_parent([str(fake), f"echo yes > {ended}; exit 0", str(noted)])
    start = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True).wait()"
    parent = subprocess.Popen([sys.executable, "-c", start, *command])
    wait_for(noted)
    parent.kill()
    parent.wait()
    wait_for(ended)
