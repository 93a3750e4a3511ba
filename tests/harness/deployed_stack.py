"""A deployed stack as the checks see it: what was declared, and what runs.

The command line hands over what was declared in a file (MEDIANEST_STACK_FACTS): the stack's name, its
outputs and its settings. Everything else is read off the engine.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import docker
import pytest
import testinfra
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from testinfra.host import Host

from components import labels
from components.hardening.kinds import LOADER, kind_of
from components.hardening.rule import Observed
from components.settings import SECRETS_DIRECTORY, LimitSettings, StackSettings
from ops.preflight.facts import is_local
from tests.harness.inside import run

# What watches a stack, where it is watched: component and the user that runs it.
WATCHING = {
    "prometheus": "9090",
    "alertmanager": "9093",
    "postgres-exporter": "9100",
    "redis-exporter": "9100",
    "node-exporter": "9100",
    "engine-proxy": "998",
    "guardian": "998",
}
# 127.0.0.11, as /proc/net/tcp writes it.
ENGINE_NAME_SERVER = "0B00007F"
LOOKS_AT_ONCE = 4


@dataclass(frozen=True)
class Process:
    """What the kernel tells of one process of a container."""

    pid: int
    status: dict[str, str]
    environment: str
    arguments: str
    mounts: str
    sockets: str

    def listening_ports(self) -> set[int]:
        """TCP ports that anything in its network listens on, but for the engine's own name server.

        Source: https://docs.kernel.org/networking/proc_net_tcp.html (state 0A is LISTEN)
        """
        rows = [line.split() for line in self.sockets.splitlines()]
        listening = [row[1].split(":") for row in rows if row[3:4] == ["0A"]]
        return {int(port, 16) for address, port in listening if address != ENGINE_NAME_SERVER}


# One command, since each costs the engine as much as a small check does.
LOOK_INSIDE = """
command -v find >/dev/null || exit 3
id -u
if touch /written 2>/dev/null; then echo wrote; else echo refused; fi
find / -xdev -perm /6000 -type f 2>/dev/null
exit 0
"""


@dataclass(frozen=True)
class Inside:
    """What a look inside a container tells: its user, whether the root file system took a file, and the
    files on it that run as somebody else than their caller."""

    user: str
    took_a_file: bool
    set_user_id_files: list[str]


@dataclass(frozen=True)
class Running:
    """One container of the stack."""

    component: str
    container: Container

    @property
    def name(self) -> str:
        return str(self.container.name)

    @cached_property
    def inspected(self) -> dict[str, Any]:
        return dict(self.container.attrs)

    @cached_property
    def shell(self) -> Host:
        """Commands inside the container, as its own user."""
        return testinfra.get_host(f"docker://{self.name}")

    @cached_property
    def inside(self) -> Inside | None:
        """What one look inside tells, as the container's own user. None where its image lacks the tools."""
        try:
            code, said = run(self.container, "sh", "-c", LOOK_INSIDE)
        except APIError:
            return None
        # 126 and 127: the engine found no shell to run. 3: the shell found no `find`.
        if code != 0:
            return None
        user, wrote, *files = said.splitlines()
        return Inside(user, wrote == "wrote", files)

    @cached_property
    def processes(self) -> list[Process]:
        """Its processes, from the host's /proc where that shows them, else from its own.

        So that images without a shell are checked too. A process that ends meanwhile is left out.
        """
        listed = self.container.top(ps_args="-eo uid,pid")["Processes"]
        pids = [int(row[1]) for row in listed]
        # Of an engine elsewhere the same number is another process here.
        here = is_local(os.environ) and os.access(f"/proc/{pids[0]}/environ", os.R_OK)
        read = self._read_here if here else self._read_inside
        if read == self._read_inside:
            pids = [int(pid) for pid in self.shell.run("ls /proc | grep -E '^[0-9]+$'").stdout.split()]
        found = []
        for pid in pids:
            try:
                status, environment, arguments, mounts, *sockets = (
                    read(pid, name)
                    for name in ("status", "environ", "cmdline", "mountinfo", "net/tcp", "net/tcp6")
                )
            except OSError:
                continue
            lines = (line.partition(":\t") for line in status.splitlines())
            words = {name: value for name, _, value in lines}
            found.append(Process(pid, words, environment, arguments, mounts, "\n".join(sockets)))
        return found

    @staticmethod
    def _read_here(pid: int, name: str) -> str:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")

    def _read_inside(self, pid: int, name: str) -> str:
        answer = self.shell.run("cat /proc/%s/%s", str(pid), name)
        if answer.rc != 0:
            raise ProcessLookupError(pid)
        return str(answer.stdout)

    def observed(self, engine_security: Sequence[str]) -> Observed:
        """All that the rules of hardening look at."""
        # Of one that never ran there is no process that an image's files could serve.
        alive = self.inspected["State"]["Running"]
        return Observed(
            self.inspected,
            self.processes if alive else (),
            self.set_user_id_files() if alive else (),
            self.commands(),
            engine_security,
        )

    def commands(self) -> list[dict[str, Any]]:
        """What is run in it beside its own program, as the engine describes it. One may end meanwhile."""
        assert self.container.client
        found = []
        for identifier in self.inspected["ExecIDs"] or ():
            with suppress(NotFound):
                found.append(self.container.client.api.exec_inspect(identifier))
        return found

    def set_user_id_files(self) -> list[str]:
        """Files of its root file system that run as somebody else than their caller."""
        if self.inside:
            return self.inside.set_user_id_files
        with tempfile.TemporaryFile() as exported:
            for part in cast("Iterator[bytes]", self.container.export()):
                exported.write(part)
            exported.seek(0)
            with tarfile.open(fileobj=exported) as archive:
                return [entry.name for entry in archive if entry.isfile() and entry.mode & 0o6000]

    @cached_property
    def secret_files(self) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
        """Its secrets, through the engine's API: no process in the container."""
        if not any(mount["Destination"] == SECRETS_DIRECTORY for mount in self.inspected["Mounts"]):
            return {}
        stream, _ = self.container.get_archive(SECRETS_DIRECTORY)
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            return {
                entry.name.split("/", 1)[1]: (entry, content.read())
                for entry in archive.getmembers()
                if entry.isfile() and (content := archive.extractfile(entry))
            }

    def look(self) -> None:
        """Look at all that the checks ask of a container that runs; it is kept. One may end meanwhile."""
        if self.inspected["State"]["Running"]:
            with suppress(NotFound):
                _ = self.inside, self.processes, self.secret_files


@dataclass(frozen=True)
class DeployedStack:
    """The stack under test."""

    name: str
    outputs: dict[str, Any]
    settings: StackSettings
    engine: docker.DockerClient

    @cached_property
    def containers(self) -> list[Running]:
        """The containers of its components, by name in the order of the outputs."""
        found = {item.name: item for item in self.everything}
        return [found[name] for names in self.outputs["containers"].values() for name in names]

    @cached_property
    def everything(self) -> list[Running]:
        """All containers of the stack, with loaders and helpers."""
        listed = self.engine.containers.list(
            all=True, ignore_removed=True, filters={"label": self.label_filter}
        )
        found = [Running(str(item.labels[labels.COMPONENT]), item) for item in listed]
        # Nearly all of it is waiting for the engine.
        with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
            list(pool.map(Running.look, found))
        return found

    @cached_property
    def loaders(self) -> list[Container]:
        """The containers that only took files into a volume and never run."""
        return [item.container for item in self.everything if kind_of(item.inspected) is LOADER]

    @cached_property
    def observed(self) -> dict[str, Observed]:
        """What the rules of hardening look at, by container. One that ends meanwhile is left out."""
        security = self.engine.info().get("SecurityOptions") or ()
        found = {}
        for item in self.everything:
            with suppress(NotFound):
                found[item.name] = item.observed(security)
        return found

    @property
    def label_filter(self) -> list[str]:
        return [f"{labels.STACK}={self.name}", f"{labels.OWNER}={self.outputs['owner']}"]

    def of(self, component: str) -> list[Running]:
        return [item for item in self.containers if item.component == component]

    def limits(self, component: str) -> LimitSettings:
        monitoring = self.settings.monitoring
        if component == "engine-proxy":
            return self.settings.guardian.proxy_limits
        if component == "guardian":
            return self.settings.guardian.limits
        if component.endswith("-exporter"):
            return monitoring.exporters.limits
        settings = monitoring if component in WATCHING else self.settings
        limits = getattr(settings, component).limits
        assert isinstance(limits, LimitSettings)
        return limits

    @property
    def watched(self) -> bool:
        """Whether the parts of WATCHING were declared."""
        return self.settings.monitoring.enabled

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Every secret's value by file and consumer. Never put one into an assertion's message."""
        return {
            f"{running.component}:{name}": content.decode()
            for running in self.containers
            for name, (_, content) in running.secret_files.items()
        }


# Checks of several folders share one look at the stack, though each folder brings the fixture along.
LOOKED_AT = pytest.StashKey[DeployedStack]()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> DeployedStack:
    path = os.environ.get("MEDIANEST_STACK_FACTS")
    if not path:
        pytest.fail("these checks look at a deployed stack: run them with `./medianest verify STACK`")
    config = request.config
    if LOOKED_AT not in config.stash:
        with open(path) as file:
            facts = json.load(file)
        engine = docker.from_env()
        config.add_cleanup(engine.close)
        settings = StackSettings.model_validate(facts["settings"])
        config.stash[LOOKED_AT] = DeployedStack(facts["stack"], facts["outputs"], settings, engine)
    return config.stash[LOOKED_AT]
