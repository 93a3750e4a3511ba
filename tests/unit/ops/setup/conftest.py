from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from ops.setup.display import Display
from ops.setup.versions import Versions, read_versions
from ops.setup.work import Work

ROOT = Path(__file__).parents[4]


@pytest.fixture
def versions() -> Versions:
    return read_versions(ROOT)


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def console(screen: io.StringIO) -> Console:
    return Console(file=screen, width=200)


@pytest.fixture
def work(log: io.StringIO, console: Console) -> Iterator[Work]:
    with Display(console) as display:
        yield Work(log, display, stop_seconds=0.1)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a program of the given shell script before all others on PATH.

    Each call of it adds a line to the file `called`, which the fixture `called` reads.
    """
    directory = tmp_path / "programs"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def add(name: str, script: str = "") -> Path:
        program = directory / name
        program.write_text(f'#!/bin/bash\necho "{name} $*" >>{tmp_path}/called\n{script}\n')
        program.chmod(0o755)
        return program

    return add


@pytest.fixture
def called(tmp_path: Path) -> Callable[[], list[str]]:
    def read() -> list[str]:
        file = tmp_path / "called"
        return file.read_text().splitlines() if file.exists() else []

    return read
