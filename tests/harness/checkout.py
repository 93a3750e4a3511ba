"""A copy of the project with a state, stacks and ports of its own, driven through the front door."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.models.containers import Container

from components import labels

ROOT = Path(__file__).parents[2]
# As staging, but for the name and the port.
STAGING: Mapping[str, Any] = yaml.safe_load((ROOT / "Pulumi.staging.yaml").read_text())["config"]
# The least that is a whole stack: for tests of what goes wrong before anything runs.
MINIMAL: Mapping[str, Any] = {"medianest:verification": {"paths": []}}
# Watching costs time, and few tests are about it: those switch it on.
UNWATCHED: Mapping[str, Any] = {"medianest:monitoring": {"enabled": False}}
# What a test leaves behind is nobody's data.
THROW_AWAY: Mapping[str, Any] = {"medianest:data": {"protected": False}}


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Run:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err

    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


@dataclass(frozen=True)
class Checkout:
    """A checkout of the project in a directory of its own, with `state` as the user's state."""

    root: Path
    state: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_this_tree(cls, root: Path, state: Path) -> Checkout:
        """Copy what is tracked, and what is new and not ignored, as a clone with the changes would have."""
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        for name in filter(None, listed.split("\0")):
            source = ROOT / name
            if source.is_file():
                target = root / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        return cls(root, state)

    def cloned(self, root: Path) -> Checkout:
        """The same files in another place, for the same user."""
        shutil.copytree(self.root, root)
        return Checkout(root, self.state, self.variables)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
        return inherited | {"XDG_STATE_HOME": str(self.state), "NO_COLOR": "1"} | dict(self.variables)

    def with_variables(self, **variables: str) -> Checkout:
        return Checkout(self.root, self.state, {**self.variables, **variables})

    def settings_file(self, stack: str) -> Path:
        return self.root / f"Pulumi.{stack}.yaml"

    def declare(self, stack: str, configuration: Mapping[str, Any], port: int | None = None) -> int:
        """Write a stack's settings; its port is a free one unless given. Returns the port.

        The stack is one to throw away, unless the configuration says something else of its data.
        """
        port = port or free_port()
        published = {"medianest:gateway": {**configuration.get("medianest:gateway", {}), "port": port}}
        guardian = configuration.get("medianest:guardian", {})
        if guardian.get("dashboard"):
            dashboard = {**guardian["dashboard"], "port": free_port()}
            published["medianest:guardian"] = {**guardian, "dashboard": dashboard}
        document = {"config": {**THROW_AWAY, **UNWATCHED, **configuration, **published}}
        self.settings_file(stack).write_text(yaml.safe_dump(document))
        return port

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, as a shell does."""
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *command: str, timeout: float = 300) -> Run:
        """Run a command to its end; its whole group is killed when the time is over."""
        process = self.start(*command)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise AssertionError(f"{command} did not end within {timeout} s:\n{out}{err}") from None
        return Run(process.returncode, out, err)

    def medianest(self, *arguments: str, timeout: float = 300) -> Run:
        return self.run("./medianest", *arguments, timeout=timeout)

    def expect(self, *arguments: str, timeout: float = 300) -> Run:
        """The same, where it has to succeed."""
        run = self.medianest(*arguments, timeout=timeout)
        assert run.code == 0, f"medianest {' '.join(arguments)} ended with {run.code}:\n{run.said}"
        return run

    def pulumi(self, *arguments: str) -> Run:
        """Plain Pulumi, as a person has it after `activate`."""
        return self.run("bash", "-c", 'eval "$(./medianest activate)" && pulumi "$@"', "pulumi", *arguments)


def new_name(purpose: str) -> str:
    """A stack name that no other run has."""
    return f"test-{purpose}-{uuid.uuid4().hex[:6]}"


def of_stack(engine: docker.DockerClient, stack: str) -> list[str]:
    """Everything on the engine that carries a stack's label."""
    wanted: dict[str, str | list[str] | bool] = {"label": f"{labels.STACK}={stack}"}
    return [
        *(
            f"container {item.name}"
            for item in engine.containers.list(all=True, ignore_removed=True, filters=wanted)
        ),
        *(f"volume {item.name}" for item in engine.volumes.list(filters=wanted)),
        *(f"network {item.name}" for item in engine.networks.list(filters=wanted)),
        *(f"image {item.id}" for item in engine.images.list(filters=wanted)),
    ]


def containers_of(engine: docker.DockerClient, stack: str, component: str) -> list[Container]:
    """A component's containers."""
    wanted = [f"{labels.STACK}={stack}", f"{labels.COMPONENT}={component}"]
    return engine.containers.list(all=True, ignore_removed=True, filters={"label": wanted})


@contextmanager
def swept(engine: docker.DockerClient, stack: str) -> Iterator[None]:
    """Remove, by its label, whatever a test's stack has left behind."""
    try:
        yield
    finally:
        wanted: dict[str, str | list[str] | bool] = {"label": f"{labels.STACK}={stack}"}
        for container in engine.containers.list(all=True, ignore_removed=True, filters=wanted):
            container.remove(force=True, v=True)
        for volume in engine.volumes.list(filters=wanted):
            volume.remove(force=True)
        for network in engine.networks.list(filters=wanted):
            network.remove()
        for image in engine.images.list(filters=wanted):
            engine.images.remove(str(image.id), force=True)
