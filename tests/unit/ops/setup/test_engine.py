from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ops.docker_endpoint import DEFAULT_HOST, DockerEndpoint
from ops.errors import ExitCode, OperationError
from ops.setup import daemon
from ops.setup.engine import Action, EngineFacts, EngineStep, EngineVersion, decide
from ops.setup.packages import System
from ops.setup.versions import Versions
from ops.setup.work import Work

Programs = Callable[[str, str], Path]
Called = Callable[[], list[str]]

DEFAULT = DockerEndpoint(DEFAULT_HOST, "the default socket", chosen=False, variables={})
CHOSEN = DockerEndpoint("tcp://far:2375", "DOCKER_HOST", chosen=True, variables={})
ROOT_ON_DEBIAN = System(debian=True, systemd=False, root=True)
NOTHING = EngineFacts(DEFAULT, version=None, forbidden=False, installed=False, system=ROOT_ON_DEBIAN)
USER_ON_DEBIAN = System(debian=True, systemd=True, root=False)
USER_ELSEWHERE = System(debian=False, systemd=True, root=False)
ROOT_ELSEWHERE = System(debian=False, systemd=False, root=True)


@pytest.mark.parametrize(
    ("facts", "action", "says"),
    [
        (replace(NOTHING, version=EngineVersion("20.10.24", "1.41")), Action.USE, ""),
        (replace(NOTHING, version=EngineVersion("28.2.2", "1.50")), Action.USE, ""),
        (replace(NOTHING, version=EngineVersion("19.03.15", "1.40")), Action.REFUSE, "too old"),
        # As text "1.9" would come after "1.41".
        (replace(NOTHING, version=EngineVersion("1.1", "1.9")), Action.REFUSE, "too old"),
        (replace(NOTHING, endpoint=CHOSEN), Action.REFUSE, "tcp://far:2375, which DOCKER_HOST names"),
        (replace(NOTHING, endpoint=CHOSEN, installed=True), Action.REFUSE, "no Docker engine answers"),
        (replace(NOTHING, endpoint=CHOSEN, version=EngineVersion("24", "1.43")), Action.USE, ""),
        (NOTHING, Action.INSTALL, ""),
        (replace(NOTHING, installed=True), Action.START, ""),
        (replace(NOTHING, installed=True, system=ROOT_ELSEWHERE), Action.START, ""),
        (replace(NOTHING, system=ROOT_ELSEWHERE), Action.REFUSE, "https://docs.docker.com/engine/install/"),
        (replace(NOTHING, system=USER_ELSEWHERE), Action.REFUSE, "there is no Docker engine"),
        (replace(NOTHING, system=USER_ON_DEBIAN), Action.REFUSE, "sudo apt-get install -y"),
        (replace(NOTHING, installed=True, system=USER_ON_DEBIAN), Action.REFUSE, "sudo systemctl enable"),
        (
            replace(NOTHING, installed=True, forbidden=True, system=USER_ON_DEBIAN),
            Action.REFUSE,
            "usermod -aG docker",
        ),
    ],
)
def test_what_to_do_about_the_engine(
    facts: EngineFacts, action: Action, says: str, versions: Versions
) -> None:
    decision = decide(facts, versions)
    assert decision.action is action
    assert says in f"{decision.message} {decision.hint}"
    if action is Action.REFUSE:
        assert decision.message
        assert decision.hint


def test_a_chosen_engine_that_is_silent_is_never_replaced_by_an_installation(versions: Versions) -> None:
    for system in (ROOT_ON_DEBIAN, USER_ON_DEBIAN, ROOT_ELSEWHERE):
        for installed in (True, False):
            facts = replace(NOTHING, endpoint=CHOSEN, installed=installed, system=system)
            assert decide(facts, versions).action is Action.REFUSE


class Machine:
    """Facts of a machine whose engine answers once the file `engine` is there."""

    def __init__(self, root: Path, facts: EngineFacts) -> None:
        self.engine = root / "engine"
        self._facts = facts

    def __call__(self) -> EngineFacts:
        version = EngineVersion("20.10.24", "1.41") if self.engine.exists() else None
        return replace(self._facts, version=version, installed=self._facts.installed or version is not None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "var" / "log").mkdir(parents=True)
    return root


@pytest.fixture
def apt(programs: Programs) -> Programs:
    programs("apt-get", "")
    programs("dpkg", "")
    return programs


@pytest.fixture
def dockerd(apt: Programs, root: Path, called: Called) -> Iterator[None]:
    apt("dockerd", f"echo listening; touch {root}/engine")
    yield
    for call in called():
        assert not call.startswith("systemctl")


def step(root: Path, facts: EngineFacts, versions: Versions) -> EngineStep:
    return EngineStep(versions, Machine(root, facts), wait_seconds=5, root=root)


@pytest.mark.usefixtures("dockerd")
def test_an_engine_is_installed_and_started(
    root: Path, versions: Versions, work: Work, called: Called
) -> None:
    engine = step(root, NOTHING, versions)
    assert engine.missing() == "not installed"
    assert "docker.io" in str(engine.intends())
    engine.provide(work)
    install = next(call for call in called() if " install " in call)
    assert "--no-install-recommends docker.io iptables iproute2" in install
    assert called().index(install) < called().index("dockerd ")
    assert engine.missing() is None
    assert (root / "var/log/dockerd.log").read_text() == "listening\n"


@pytest.mark.usefixtures("dockerd")
def test_an_installed_engine_is_only_started(
    root: Path, versions: Versions, work: Work, called: Called
) -> None:
    engine = step(root, replace(NOTHING, installed=True), versions)
    assert engine.missing() == "not running"
    engine.provide(work)
    assert "dockerd " in called()
    assert not any("install" in call for call in called())


def test_an_interrupted_installation_is_finished_before_the_start(
    root: Path, versions: Versions, work: Work, apt: Programs, called: Called
) -> None:
    apt("dpkg", '[ "$1" != --audit ] || echo "docker.io is half installed"')
    apt("dockerd", f"touch {root}/engine")
    engine = step(root, replace(NOTHING, installed=True), versions)
    assert engine.missing()
    engine.provide(work)
    assert [call.split()[0] for call in called()] == ["dpkg", "dpkg", "apt-get", "dockerd"]
    assert called()[1] == "dpkg --configure -a"


def test_where_systemd_runs_it_starts_the_engine(
    root: Path, versions: Versions, work: Work, apt: Programs, called: Called
) -> None:
    apt("systemctl", f"touch {root}/engine")
    facts = replace(NOTHING, installed=True, system=replace(ROOT_ON_DEBIAN, systemd=True))
    engine = step(root, facts, versions)
    assert engine.missing()
    engine.provide(work)
    assert called()[-1] == "systemctl enable --now docker"


@pytest.mark.parametrize(
    ("wait", "grace", "message"), [(0.1, 10, "does not answer after"), (20, 0.1, "ended at once")]
)
def test_an_engine_that_does_not_come_up_shows_the_end_of_its_log(
    root: Path,
    versions: Versions,
    work: Work,
    apt: Programs,
    log: io.StringIO,
    wait: float,
    grace: float,
    message: str,
) -> None:
    apt("dockerd", "echo failed to start: no cgroups")
    machine = Machine(root, replace(NOTHING, installed=True))
    engine = EngineStep(versions, machine, wait_seconds=wait, grace_seconds=grace, root=root)
    assert engine.missing()
    with pytest.raises(OperationError, match=message) as caught:
        engine.provide(work)
    assert "no cgroups" in caught.value.hint
    assert "no cgroups" in log.getvalue()


def test_no_network_names_the_package_archive(
    root: Path, versions: Versions, work: Work, apt: Programs
) -> None:
    apt("apt-get", 'echo "E: Failed to fetch: Temporary failure resolving"; exit 100')
    engine = step(root, NOTHING, versions)
    assert engine.missing()
    with pytest.raises(OperationError, match="the Debian package archive cannot be reached"):
        engine.provide(work)


def test_a_refusal_ends_the_check(root: Path, versions: Versions) -> None:
    engine = step(root, replace(NOTHING, system=USER_ON_DEBIAN), versions)
    with pytest.raises(OperationError, match="no Docker engine") as caught:
        engine.missing()
    assert caught.value.code is ExitCode.REFUSED


def pid_file(root: Path, program: str, pid: str) -> Path:
    file = root / daemon.PID_FILES[program]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(pid)
    return file


def process(root: Path, pid: str, name: str) -> None:
    (root / "proc" / pid).mkdir(parents=True)
    (root / "proc" / pid / "comm").write_text(f"{name}\n")


def test_pid_files_of_a_machine_that_was_cut_off_are_removed(root: Path) -> None:
    process(root, "12", "bash")
    reused = pid_file(root, "dockerd", "12")
    gone = pid_file(root, "containerd", "99")
    daemon.remove_stale_pid_files(root)
    assert not reused.exists()
    assert not gone.exists()


def test_an_engine_that_is_just_starting_is_not_started_twice(
    root: Path, work: Work, apt: Programs, called: Called
) -> None:
    apt("dockerd", "")
    process(root, "12", "dockerd")
    running = pid_file(root, "dockerd", "12")
    daemon.start(work, ROOT_ON_DEBIAN, root)
    assert running.exists()
    assert daemon.is_running(root)
    assert "dockerd " not in called()


def test_the_engine_finds_the_programs_of_the_system(
    root: Path, work: Work, apt: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    apt("dockerd", 'echo "$PATH"')
    daemon.start(work, ROOT_ON_DEBIAN, root)
    log = root / daemon.LOG
    while not log.read_text():
        os.sched_yield()
    assert "/usr/sbin" in log.read_text().strip().split(":")
