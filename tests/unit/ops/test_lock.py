"""The lock of Pulumi's file back end: who holds it, and whether it still counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ops.lock import Holder, Lock, holder, is_pulumi, read_locks

LOCK = Lock(pid=42, user="ada", host="blue", since="2026-11-23T22:10:00Z")


@pytest.mark.parametrize(
    ("host", "running", "verdict"),
    [
        ("blue", True, Holder.RUNNING),
        ("blue", False, Holder.DEAD),
        ("green", True, Holder.ELSEWHERE),
        ("green", False, Holder.ELSEWHERE),
    ],
)
def test_a_lock_is_judged_by_host_and_process(host: str, running: bool, verdict: Holder) -> None:
    assert holder(LOCK, host, running) is verdict


def write(directory: Path, name: str, since: str) -> None:
    document = {"pid": 42, "username": "ada", "hostname": "blue", "timestamp": since}
    (directory / f"{name}.json").write_text(json.dumps(document))


def test_locks_are_read_the_oldest_first(tmp_path: Path) -> None:
    write(tmp_path, "one", "2026-11-23T22:11:00Z")
    write(tmp_path, "two", "2026-11-23T22:10:00Z")
    (tmp_path / "two.json.attrs").write_text("{}")
    assert [lock.since[14:16] for lock in read_locks(tmp_path)] == ["10", "11"]
    assert read_locks(tmp_path)[0] == LOCK
    assert read_locks(tmp_path)[0].path == tmp_path / "two.json"


def test_a_lock_that_is_being_written_is_none_yet(tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text('{"pid": 4')
    assert read_locks(tmp_path) == []
    assert read_locks(tmp_path / "not there") == []


def test_an_id_that_was_given_to_another_program_is_not_pulumi() -> None:
    assert not is_pulumi(os.getpid())


def test_an_ended_process_is_not_pulumi() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not is_pulumi(ended.pid)


def test_a_running_pulumi_is_seen(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    program.symlink_to("/bin/sleep")
    running = subprocess.Popen([program, "30"])
    try:
        # A program gets its name a moment after it was started.
        deadline = time.monotonic() + 2
        while not is_pulumi(running.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert is_pulumi(running.pid)
    finally:
        running.kill()
        running.wait()


def test_a_killed_pulumi_whose_parent_has_not_noticed_is_dead(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    program.symlink_to("/bin/sleep")
    killed = subprocess.Popen([program, "30"])
    killed.kill()
    # Waits for the end, and leaves the zombie where it is.
    os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert Path(f"/proc/{killed.pid}").exists()
        assert not is_pulumi(killed.pid)
    finally:
        killed.wait()
