"""The doctor on machines that lack things: it tells, it makes nothing, and it never fails itself."""

from __future__ import annotations

import json
import os
import socket
from importlib.metadata import version
from pathlib import Path

import pytest

from ops.checks import Level
from ops.doctor import facts
from ops.doctor.command import of_step
from ops.errors import ExitCode, OperationError
from ops.setup.step import Step
from ops.setup.work import Work
from tests.harness.checkout import ROOT, Checkout


def test_a_bare_machine_gets_verdicts_and_nothing_is_made(tmp_path: Path) -> None:
    state, engine = tmp_path / "state", tmp_path / "no.sock"
    variables = {
        "DOCKER_HOST": f"unix://{engine}",
        "HOME": str(tmp_path),
        "PULUMI_HOME": str(tmp_path / "pulumi"),
    }
    # The environment of this machine's user, since that of a bare one takes a while to make.
    variables["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    bare = Checkout(ROOT, state, variables)
    run = bare.run("python", "-m", "ops", "doctor", "--json", timeout=60)
    assert run.code == 1, run.said
    assert "Traceback" not in run.said
    found = {check["name"]: check for check in run.document()["checks"]}
    assert run.document()["healthy"] is False
    assert found["Docker engine"]["level"] == "critical"
    assert str(engine) in found["Docker engine"]["evidence"][0]
    for name in ("control groups", "network", "storage", "memory", "processors"):
        assert found[name]["level"] == "unknown"
    assert found["Pulumi"]["level"] == "critical"
    assert "docker plugin" in found["Pulumi"]["evidence"][0]
    assert found["passphrase"]["figure"] == "the first `up` makes it"
    assert all(check["next_step"] for check in found.values() if not check["holds"])
    assert not state.exists()


class Broken:
    """A step that has something to say."""

    name = "Thing"
    after: tuple[str, ...] = ()

    def __init__(self, answer: str | OperationError | None) -> None:
        self.answer = answer

    def missing(self) -> str | None:
        if isinstance(self.answer, OperationError):
            raise self.answer
        return self.answer

    def intends(self) -> str | None:
        raise AssertionError("the doctor changes nothing")

    def provide(self, work: Work) -> None:
        raise AssertionError(f"the doctor gives nobody work: {work}")


@pytest.mark.parametrize(
    ("answer", "level", "hint"),
    [
        (None, Level.OK, ""),
        ("not installed", Level.CRITICAL, "./medianest setup"),
        (
            OperationError("too old", "Install a newer one.", ExitCode.REFUSED),
            Level.CRITICAL,
            "Install a newer one.",
        ),
    ],
)
def test_what_set_up_says_is_taken_over(answer: str | OperationError | None, level: Level, hint: str) -> None:
    step: Step = Broken(answer)
    check = of_step(step, "1.0", "1.0")
    assert (check.level, check.next_step) == (level, hint)


def test_packages_are_held_to_the_lock() -> None:
    lock = f"# a comment\nrich=={version('rich')} \\\n    --hash=sha256:0\nno-such-thing==1.0\ntyper==0.0.1\n"
    lock += 'only-elsewhere==1.0 ; sys_platform == "plan9"\n'
    assert facts.other_packages(lock) == [
        ("no-such-thing", "1.0", ""),
        ("typer", "0.0.1", version("typer")),
    ]
    assert facts.other_packages((ROOT / "requirements/host.txt").read_text()) == []


def test_a_file_of_the_system_that_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    assert facts.available_memory(file) is None
    assert facts.ephemeral_ports(file) is None
    file.write_text("MemTotal: 1 kB\nMemAvailable:   2048 kB\n")
    assert facts.available_memory(file) == 2048 * 1024
    assert facts.ephemeral_ports(file) is None
    file.write_text("32768\t60999\n")
    assert facts.ephemeral_ports(file) == (32768, 60999)


def test_a_port_without_an_engine() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        found = facts.gather_port(None, "127.0.0.1", taken.getsockname()[1], True)
    assert found.holder is not None
    assert str(os.getpid()) in found.holder.description


def test_a_damaged_state_is_told(tmp_path: Path) -> None:
    stacks = tmp_path / ".pulumi/stacks/medianest"
    stacks.mkdir(parents=True)
    (stacks / "good.json").write_text(json.dumps({"version": 3, "checkpoint": {"latest": {}}}))
    (stacks / "bad.json").write_text("{")
    found = facts.gather_state(tmp_path, f"file://{tmp_path}", "medianest")
    ((message, hint),) = found.broken
    assert "the state of stack bad is damaged" in message
    assert hint == "Bring back the newest good copy: ./medianest state restore bad"


def test_where_the_passphrase_comes_from(tmp_path: Path) -> None:
    own, url = tmp_path / "passphrase", f"file://{tmp_path}"
    assert facts.gather_passphrase({}, own, url).source == "the first `up` makes it"
    own.touch(mode=0o600)
    empty = facts.gather_passphrase({}, own, url)
    assert (empty.mode, empty.problem) == (0o600, f"the passphrase file {own} is empty")
    own.write_text("a secret")
    own.chmod(0o644)
    assert facts.gather_passphrase({}, own, url) == facts.Passphrase("its file", own, 0o644)
    assert facts.gather_passphrase({"PULUMI_CONFIG_PASSPHRASE": "x"}, own, url).file is None
    named = {"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "gone")}
    assert facts.gather_passphrase(named, own, url).problem == (
        "the passphrase cannot be read: No such file or directory"
    )
    own.unlink()
    stacks = tmp_path / ".pulumi/stacks/medianest"
    stacks.mkdir(parents=True)
    (stacks / "a.json").touch()
    assert "is gone" in facts.gather_passphrase({}, own, url).problem
