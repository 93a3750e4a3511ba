"""What there is on this machine, and on the engine where one answers. No decision is made here."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from ops.errors import OperationError
from ops.preflight.facts import EngineFacts, PortFacts, free_bytes

if TYPE_CHECKING:
    from docker import APIClient

SYSTEM_DIRECTORIES = "/usr/local/sbin:/usr/sbin:/sbin"
SYNCHRONISED_SECONDS = 5.0


@dataclass(frozen=True)
class Host:
    """What the engine says of the machine that it is on. `clock_ahead` is by how many seconds its clock
    is before ours; None where it did not say."""

    engine: EngineFacts
    driver: str
    processors: int
    cgroup_version: str
    limits: Mapping[str, bool]
    forwarding: bool
    clock_ahead: float | None


@dataclass(frozen=True)
class StateDirectory:
    """Where the state is, or will be. `mode` is None while it is not there; `broken` has one sentence for
    each stack whose state cannot be read."""

    path: Path
    mode: int | None
    writable: bool
    free: int | None
    broken: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Passphrase:
    """`source` says where it comes from; `file` is its file, where it is in one, with its mode."""

    source: str
    file: Path | None = None
    mode: int | None = None
    problem: str = ""
    hint: str = ""


def gather_host(api: APIClient, local: bool) -> Host:
    """Ask the engine."""
    from ops.preflight.facts import gather_engine

    info = api.info()
    return Host(
        engine=gather_engine(api, local),
        driver=str(info.get("Driver", "")),
        processors=int(info.get("NCPU", 0)),
        cgroup_version=str(info.get("CgroupVersion", "?")),
        limits={
            "memory": bool(info.get("MemoryLimit")),
            "processors": bool(info.get("CpuCfsQuota") or info.get("CPUCfsQuota")),
            "processes": bool(info.get("PidsLimit")),
        },
        forwarding=bool(info.get("IPv4Forwarding", True)),
        clock_ahead=_ahead(str(info.get("SystemTime", "")), time.time()),
    )


def _ahead(engine_time: str, now: float) -> float | None:
    try:
        return datetime.fromisoformat(engine_time).timestamp() - now
    except ValueError:
        return None


def available_memory(path: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes of this machine's memory that programs could still get; None where it does not say.

    Source: proc_meminfo(5), MemAvailable.
    """
    try:
        for line in path.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def has_iptables() -> bool:
    """Whether the engine, where it is on this machine, finds what it publishes ports with."""
    path = f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_DIRECTORIES}"
    return any(shutil.which(name, path=path) for name in ("iptables", "nft"))


def synchronised() -> bool | None:
    """Whether a time server sets this machine's clock; None where nobody tells.

    Source: https://www.freedesktop.org/software/systemd/man/latest/timedatectl.html
    """
    try:
        done = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            capture_output=True,
            text=True,
            timeout=SYNCHRONISED_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip())


def ephemeral_ports(path: Path = Path("/proc/sys/net/ipv4/ip_local_port_range")) -> tuple[int, int] | None:
    """The ports that outgoing connections of this machine take, the first and the last."""
    try:
        first, last = path.read_text().split()
        return int(first), int(last)
    except (OSError, ValueError):
        return None


def gather_port(api: APIClient | None, address: str, port: int, local: bool) -> PortFacts:
    """Who holds a port, as far as that can be seen without an engine."""
    from ops.preflight import facts
    from ops.preflight.ports import find_listener

    if api is not None:
        return facts.gather_port(api, address, port, local)
    holder = None if facts.can_bind(address, port) else find_listener(address, port)
    return PortFacts(address, port, holder)


def other_packages(lock: str) -> list[tuple[str, str, str]]:
    """Packages that are not as locked: name, locked version, installed version (empty where there is
    none). `lock` is the text of a requirements file with one `name==version` a package."""
    from packaging.requirements import InvalidRequirement, Requirement

    found = []
    for line in lock.splitlines():
        if not line or line[0] in " #-":
            continue
        try:
            wanted = Requirement(line.rstrip("\\ "))
        except InvalidRequirement:
            continue
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            installed = version(wanted.name)
        except PackageNotFoundError:
            installed = ""
        if not wanted.specifier.contains(installed or "0", prereleases=True):
            found.append((wanted.name, str(wanted.specifier).removeprefix("=="), installed))
    return found


def gather_state(directory: Path, backend_url: str, project: str) -> StateDirectory:
    """Look at the state's directory, and read each stack's state."""
    from ops.state import FileBackend

    files = FileBackend.from_url(backend_url)
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    broken = []
    for stack in files.stacks(project) if files else ():
        try:
            files.read(project, stack) if files else None
        except OperationError as error:
            broken.append((error.message, error.hint.splitlines()[0]))
    return StateDirectory(
        path=directory,
        mode=stat.S_IMODE(directory.stat().st_mode) if directory.exists() else None,
        writable=existing.is_dir() and os.access(existing, os.W_OK | os.X_OK),
        free=free_bytes(directory),
        broken=broken,
    )


def gather_passphrase(environ: Mapping[str, str], own: Path, backend_url: str) -> Passphrase:
    """Look at the passphrase's file, never at more of its content than whether it is empty."""
    from ops.passphrase import PassphraseRule, choose, has_stacks, refusal

    try:
        rule = choose(environ, own.exists(), has_stacks(backend_url))
        if rule is PassphraseRule.USERS_OWN:
            if "PULUMI_CONFIG_PASSPHRASE" in environ:
                return Passphrase("PULUMI_CONFIG_PASSPHRASE")
            file = Path(environ["PULUMI_CONFIG_PASSPHRASE_FILE"])
            file.read_text()
            return Passphrase("PULUMI_CONFIG_PASSPHRASE_FILE", file, stat.S_IMODE(file.stat().st_mode))
        if rule is PassphraseRule.MAKE:
            return Passphrase("the first `up` makes it")
        mode = stat.S_IMODE(own.stat().st_mode) if own.exists() else None
        error = refusal(rule, own, backend_url)
    except (OSError, ValueError) as failure:
        why = failure.strerror if isinstance(failure, OSError) else "it is no text"
        return Passphrase("its file", problem=f"the passphrase cannot be read: {why}", hint="Mend its file.")
    if error is not None:
        return Passphrase("its file", own, mode, error.message, error.hint)
    return Passphrase("its file", own, mode)
