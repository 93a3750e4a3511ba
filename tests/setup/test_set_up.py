"""Set-up for a user who has nothing, as a person runs it. Builds Pulumi where its site is out of reach."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, User

pytestmark = pytest.mark.slow

PROGRAM = """
import pulumi_docker
pulumi_docker.Volume("data", name="medianest-setup-test-never-made")
"""
Document = dict[str, Any]


def test_an_interrupted_set_up_leaves_nothing_running_and_nothing_half(user: User) -> None:
    process = subprocess.Popen(
        [ROOT / "medianest", "setup", "--yes"], env=user.environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    for line in process.stderr:
        if line.startswith("Building"):
            break
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(20) == 130, said
    assert "carries on" in said
    assert not list((user.cache / "toolchain").glob("pulumi-*[0-9]"))
    assert processes_of(user) == []


def processes_of(user: User) -> list[str]:
    """Processes that work in the user's cache."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(user.cache) in command:
                found.append(command)
    return found


@pytest.fixture(scope="module")
def done(user: User) -> Document:
    finished = user.run(ROOT / "medianest", "setup", "--yes", "--json")
    assert finished.returncode == 0, finished.stderr
    document: Document = json.loads(finished.stdout)
    return document


def test_everything_is_there_within_the_time_that_is_promised(done: Document) -> None:
    states = {step["name"]: step["state"] for step in done["steps"]}
    assert states["Pulumi"] == "provided"
    assert states.keys() == {"Docker engine", "Pulumi", "Base image"}
    assert done["seconds"] < 15 * 60
    assert Path(done["log"]).is_file()


@pytest.mark.usefixtures("done")
def test_a_second_run_has_nothing_to_do_in_under_a_second(user: User) -> None:
    user.run(ROOT / "medianest", "setup")
    began = time.monotonic()
    again = user.run(ROOT / "medianest", "setup")
    assert time.monotonic() - began < 1.0
    assert (again.stdout, again.stderr) == ("nothing to do\n", "")


@pytest.mark.usefixtures("done")
def test_a_second_checkout_reuses_it(user: User, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", ROOT, tmp_path / "clone"], check=True)
    again = user.run(tmp_path / "clone" / "medianest", "setup", "--json", directory=tmp_path)
    assert {step["state"] for step in json.loads(again.stdout)["steps"][:2]} == {"present"}


@pytest.mark.usefixtures("done")
def test_what_only_building_needs_is_removed(user: User) -> None:
    assert [path.name.split("-")[0] for path in (user.cache / "toolchain").iterdir()] == ["pulumi"]


@pytest.mark.usefixtures("done")
def test_plain_pulumi_works_after_activate_and_warns_of_nothing(user: User, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: setup-test\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    script = (
        f'eval "$({ROOT}/medianest activate)" && pulumi stack init dev && pulumi preview --diff'
        " && pulumi stack rm --yes dev"
    )
    finished = user.run("bash", "-c", script, directory=tmp_path)
    said = finished.stdout + finished.stderr
    assert finished.returncode == 0, said
    assert "docker:index/volume:Volume" in said
    assert "warning" not in said.lower()
