"""The script `medianest`, with an uv and a Python command line that only say what they were asked."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.setup.conftest import ROOT

Programs = Callable[[str, str], Path]
Called = Callable[[], list[str]]
Run = Callable[..., "subprocess.CompletedProcess[str]"]

UV = """case "$1" in
--version) echo "uv {version}" ;;
venv) sleep {delay}; mkdir -p "${{@: -1}}/bin"
  printf '#!/bin/bash\\necho "started in $PWD with $*"; echo "$PATH" | cut -d: -f1\\n' \\
    >"${{@: -1}}/bin/python"
  chmod 755 "${{@: -1}}/bin/python" ;;
pip) {pip} ;;
esac"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "requirements").mkdir(parents=True)
    shutil.copy(ROOT / "medianest", root)
    for name in ("host.txt", "uv.txt"):
        (root / "requirements" / name).write_text(f"{name}\n")
    return root


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "medianest"


@pytest.fixture
def uv(programs: Programs, cache: Path) -> Callable[..., None]:
    python = Path(sys.executable).resolve()
    programs("python3", f'exec {python} -S "$@"')

    def add(version: str = "0.13.9", pip: str = "true", delay: str = "0") -> None:
        programs("uv", UV.format(version=version, pip=pip, delay=delay))

    return add


@pytest.fixture
def run(checkout: Path) -> Run:
    def run(*arguments: str, script: Path = checkout / "medianest") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(script), *arguments], capture_output=True, text=True, cwd="/", env=dict(os.environ)
        )

    return run


def environment(cache: Path, requirements: str = "host.txt\n") -> Path:
    digest = hashlib.sha256(requirements.encode()).hexdigest()[:12]
    return cache / "venv" / f"{digest}-{sys.version_info.major}.{sys.version_info.minor}"


def uv_calls(called: Called) -> list[str]:
    return [call.split()[1] for call in called() if call.startswith("uv ")]


def test_the_environment_is_made_once_and_the_command_line_gets_the_arguments(
    run: Run, uv: Callable[..., None], cache: Path, checkout: Path, called: Called
) -> None:
    uv()
    first = run("up", "a b", "--json")
    assert first.returncode == 0
    venv = environment(cache)
    assert first.stdout.splitlines() == [
        f"started in {checkout} with -m ops up a b --json",
        str(venv / "bin"),
    ]
    assert "Making the Python environment" in first.stderr
    assert "--require-hashes" in next(call for call in called() if call.startswith("uv pip"))
    before = called()
    second = run("up")
    assert second.stderr == ""
    assert called() == before


def test_a_second_checkout_uses_the_same_environment(
    run: Run, uv: Callable[..., None], checkout: Path, tmp_path: Path, called: Called
) -> None:
    uv()
    run()
    shutil.copytree(checkout, tmp_path / "second")
    done = run("list", script=tmp_path / "second" / "medianest")
    assert f"started in {tmp_path / 'second'} with -m ops list" in done.stdout
    assert uv_calls(called) == ["--version", "venv", "pip"]


def test_other_requirements_have_another_environment(
    run: Run, uv: Callable[..., None], checkout: Path, cache: Path
) -> None:
    uv()
    run()
    (checkout / "requirements" / "host.txt").write_text("changed\n")
    assert str(environment(cache, "changed\n")) in run().stdout
    assert environment(cache).exists()


def test_a_link_to_the_script_works(
    run: Run, uv: Callable[..., None], checkout: Path, tmp_path: Path
) -> None:
    uv()
    link = tmp_path / "link"
    link.symlink_to(checkout / "medianest")
    assert f"started in {checkout}" in run(script=link).stdout


def test_an_environment_that_was_not_finished_is_made_again(
    run: Run, uv: Callable[..., None], cache: Path
) -> None:
    uv(pip="exit 2")
    failed = run()
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert "error: The Python packages could not be installed." in failed.stderr
    assert not (environment(cache) / "complete").exists()
    uv()
    assert run().returncode == 0


def test_an_environment_whose_python_is_gone_is_made_again(
    run: Run, uv: Callable[..., None], cache: Path
) -> None:
    uv()
    run()
    python = environment(cache) / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    done = run()
    assert "Making the Python environment" in done.stderr
    assert done.returncode == 0


def test_a_word_to_complete_makes_no_environment(
    run: Run, uv: Callable[..., None], called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv()
    monkeypatch.setenv("_MEDIANEST_COMPLETE", "complete_bash")
    done = run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert uv_calls(called) == []


def test_two_at_once_make_one_environment(run: Run, uv: Callable[..., None], called: Called) -> None:
    uv(delay="0.5")
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: run("list"), range(3)))
    assert [one.returncode for one in done] == [0, 0, 0]
    assert uv_calls(called) == ["--version", "venv", "pip"]
    assert sum("waiting for it" in one.stderr for one in done) == 2


def test_an_uv_that_is_too_old_is_passed_over_for_the_pinned_one(
    run: Run, uv: Callable[..., None], cache: Path, programs: Programs, called: Called
) -> None:
    uv(version="0.4.30")
    # Stands for the uv that pip would have installed.
    home = cache / "uv" / hashlib.sha256(b"uv.txt\n").hexdigest()[:12]
    (home / "bin").mkdir(parents=True)
    pinned = programs("pinned-uv", UV.format(version="0.13.9", pip="true", delay="0"))
    (home / "bin" / "uv").symlink_to(pinned)
    (home / "complete").touch()
    assert run().returncode == 0
    assert uv_calls(called) == ["--version"]
    assert [call.split()[1] for call in called() if call.startswith("pinned-uv ")] == ["venv", "pip"]


def test_without_a_usable_python_the_message_says_what_is_wanted(
    run: Run, programs: Programs, cache: Path
) -> None:
    for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11"):
        programs(name, "exit 1")
    programs("apt-get", "exit 100")
    done = run()
    assert done.returncode == 1
    assert done.stdout == ""
    assert "error: " in done.stderr
    assert "ython" in done.stderr


def test_a_cache_that_is_not_absolute_is_ignored(
    run: Run, uv: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv()
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert str(environment(tmp_path / "home" / ".cache" / "medianest")) in run().stdout
