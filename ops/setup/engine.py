"""The Docker engine: use the one that answers, start or install one where that is ours to do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ops.docker_endpoint import DockerEndpoint, find_endpoint
from ops.errors import ExitCode, OperationError
from ops.setup import daemon
from ops.setup.engine_api import ask
from ops.setup.packages import (
    System,
    finish_interrupted_installation,
    install_command,
    install_packages,
    read_system,
)
from ops.setup.versions import Versions, numbers
from ops.setup.work import Work

PACKAGES = ("docker.io", "iptables", "iproute2", "ca-certificates")


@dataclass(frozen=True)
class EngineVersion:
    """What an engine says of itself."""

    release: str
    api: str


@dataclass(frozen=True)
class EngineFacts:
    """Everything that the decision depends on."""

    endpoint: DockerEndpoint
    version: EngineVersion | None
    """None when no engine answers."""
    forbidden: bool
    """There is a socket, but this user may not use it."""
    installed: bool
    system: System


class Action(Enum):
    """What to do about the engine."""

    USE = "use it"
    START = "start it"
    INSTALL = "install and start it"
    REFUSE = "stop"


@dataclass(frozen=True)
class Decision:
    """An action; where it is to stop, the message and the way out."""

    action: Action
    message: str = ""
    hint: str = ""


def decide(facts: EngineFacts, versions: Versions) -> Decision:
    """Decide what to do. A pure function of what was found."""
    endpoint, system = facts.endpoint, facts.system
    if facts.version:
        return _decide_version(facts.version, endpoint, versions)
    if endpoint.chosen:
        return Decision(
            Action.REFUSE,
            f"no Docker engine answers at {endpoint.host}, which {endpoint.source} names",
            "Start that engine, or choose another: change DOCKER_HOST or `docker context use NAME`.",
        )
    if facts.forbidden:
        return Decision(
            Action.REFUSE,
            f"this user may not use the Docker engine at {endpoint.host}",
            'Run: sudo usermod -aG docker "$USER", then log in again.',
        )
    if facts.installed and system.root:
        return Decision(Action.START)
    if facts.installed:
        start = "sudo systemctl enable --now docker" if system.systemd else "sudo setsid dockerd"
        return Decision(Action.REFUSE, "the Docker engine is installed, but not running", f"Run: {start}")
    if system.may_install:
        return Decision(Action.INSTALL)
    if system.debian:
        return Decision(
            Action.REFUSE,
            "there is no Docker engine on this machine",
            f'Run: {install_command(PACKAGES)} && sudo usermod -aG docker "$USER", then log in again.',
        )
    return Decision(
        Action.REFUSE,
        "there is no Docker engine on this machine",
        f"Install Docker {versions.engine_minimum} or newer (https://docs.docker.com/engine/install/) "
        "and start it, or set DOCKER_HOST.",
    )


def _decide_version(version: EngineVersion, endpoint: DockerEndpoint, versions: Versions) -> Decision:
    if numbers(version.api) >= numbers(versions.engine_api_minimum):
        return Decision(Action.USE)
    return Decision(
        Action.REFUSE,
        f"the Docker engine at {endpoint.host} is {version.release} (API {version.api}): too old",
        f"Install Docker {versions.engine_minimum} (API {versions.engine_api_minimum}) or newer, "
        "or choose another engine with DOCKER_HOST.",
    )


def ask_version(environ: Mapping[str, str]) -> EngineVersion | None:
    """The version of the engine, or None when none answers."""
    answer = ask("/version", environ)
    if answer is None or answer.status != 200:
        return None
    return EngineVersion(str(answer.document["Version"]), str(answer.document["ApiVersion"]))


def find_facts(environ: Mapping[str, str]) -> EngineFacts:
    """Look at the machine. Changes nothing."""
    endpoint = find_endpoint(environ, Path.home())
    socket = endpoint.socket
    return EngineFacts(
        endpoint=endpoint,
        version=ask_version(environ),
        forbidden=bool(socket and socket.exists() and not os.access(socket, os.R_OK | os.W_OK)),
        installed=daemon.find_dockerd() is not None,
        system=read_system(),
    )


class EngineStep:
    """Makes sure that an engine answers."""

    name = "Docker engine"
    after: tuple[str, ...] = ()

    def __init__(
        self,
        versions: Versions,
        facts: Callable[[], EngineFacts] = lambda: find_facts(os.environ),
        wait_seconds: float = 60.0,
        grace_seconds: float = 10.0,
        root: Path = Path("/"),
    ) -> None:
        self._versions = versions
        self._facts = facts
        self._wait_seconds = wait_seconds
        self._grace_seconds = grace_seconds
        self._root = root
        self._action = Action.USE

    def missing(self) -> str | None:
        """Raises OperationError where there is nothing that we may do."""
        decision = decide(self._facts(), self._versions)
        self._action = decision.action
        if decision.action is Action.REFUSE:
            raise OperationError(decision.message, decision.hint, ExitCode.REFUSED)
        return {Action.INSTALL: "not installed", Action.START: "not running"}.get(decision.action)

    def intends(self) -> str | None:
        return {
            Action.INSTALL: f"install the Docker engine with apt-get ({', '.join(PACKAGES)}) and start it",
            Action.START: "start the Docker engine that is installed",
        }.get(self._action)

    def provide(self, work: Work) -> None:
        if self._action is Action.USE:
            return
        system = self._facts().system
        if self._action is Action.INSTALL:
            packages = [*PACKAGES, "apparmor"] if daemon.kernel_has_apparmor() else list(PACKAGES)
            install_packages(work, packages, usual_seconds=45)
        elif system.may_install:
            finish_interrupted_installation(work)
        with work.activity("Starting the Docker engine", 5):
            log = daemon.start(work, system, self._root)
            self._wait(work, log)

    def _wait(self, work: Work, log: Path | None) -> None:
        began = time.monotonic()
        while not self._facts().version:
            if work.cancelled:
                return
            waited = time.monotonic() - began
            given_up = log and waited > self._grace_seconds and not daemon.is_running(self._root)
            if given_up or waited > self._wait_seconds:
                work.note(daemon.last_lines(log, 40))
                raise OperationError(
                    "the Docker engine was started, but "
                    + ("ended at once" if given_up else f"does not answer after {self._wait_seconds:.0f} s"),
                    f"It says in {log}:\n{daemon.last_lines(log, 3)}" if log else "See: journalctl -u docker",
                )
            time.sleep(0.2)
        self.missing()
