"""Locks and ports: nobody is on an environment twice, no port is given out twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ops.env import locks
from ops.env.ports import choose
from ops.errors import ExitCode, OperationError


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_a_second_run_is_refused_and_nothing_is_left() -> None:
    with locks.only_run("p", "pr-17"):
        with (
            pytest.raises(OperationError, match="being changed by another run") as caught,
            locks.only_run("p", "pr-17"),
        ):
            pass
        with locks.only_run("p", "pr-18"):
            pass
    assert caught.value.code is ExitCode.REFUSED
    with locks.only_run("p", "pr-17"):
        pass
    assert list(locks.directory("p").iterdir()) == []


def test_a_port_is_reserved_as_long_as_its_run_lives() -> None:
    with locks.only_run("p", "pr-17") as hold:
        assert locks.reserved_ports("p") == set()
        hold.reserve(4001)
        assert locks.reserved_ports("p") == {4001}
        assert locks.reserved_ports("other") == set()
    assert locks.reserved_ports("p") == set()


def test_a_killed_run_holds_and_reserves_nothing() -> None:
    code = (
        "import os\nfrom ops.env import locks\n"
        "with locks.only_run('p', 'pr-17') as hold:\n    hold.reserve(4001)\n    os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[4], check=False)
    assert done.returncode == 9
    assert [path.name for path in locks.directory("p").iterdir()] == ["pr-17.lock"]
    assert locks.reserved_ports("p") == set()
    with locks.only_run("p", "pr-17"):
        pass


def test_turns_are_few_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it waited"))
    said: list[str] = []
    with (
        locks.turn("p", said.append),
        locks.turn("p", said.append),
        pytest.raises(pytest.fail.Exception),
        locks.turn("p", said.append),
    ):
        pass
    assert said == ["Waiting for a turn: 2 environments are being changed"]
    with locks.turn("p", said.append):
        pass


def test_a_name_has_its_port_and_gives_way_to_others() -> None:
    first = choose("p/pr-17", 4000, 4009, (), lambda _: True)
    assert first is not None
    assert choose("p/pr-17", 4000, 4009, (), lambda _: True) == first
    following = 4000 + (first + 1 - 4000) % 10
    assert choose("p/pr-17", 4000, 4009, {first}, lambda _: True) == following
    assert choose("p/pr-17", 4000, 4009, (), lambda port: port != first) == following


def test_every_port_of_the_range_is_given_out_once_and_no_other() -> None:
    taken: set[int] = set()
    while (port := choose(f"p/{len(taken)}", 4000, 4019, taken, lambda _: True)) is not None:
        assert port not in taken
        taken.add(port)
    assert taken == set(range(4000, 4020))


@pytest.mark.parametrize("name", ["../staging", "a/b", "", ".", "Upper", "x" * 41, "-rf"])
def test_a_name_is_checked_before_it_is_part_of_a_path(name: str, tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="stack name") as caught, locks.only_run("p", name):
        pass
    assert caught.value.code is ExitCode.USAGE
    assert not list(tmp_path.rglob("*.lock"))
