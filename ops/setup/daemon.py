"""Starts an installed Docker engine, with systemd or without."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ops.errors import OperationError
from ops.setup.packages import System
from ops.setup.work import CommandFailedError, Work

LOG = Path("var/log/dockerd.log")
# Program → the file that it leaves its process id in.
PID_FILES = {
    "dockerd": Path("var/run/docker.pid"),
    "containerd": Path("var/run/docker/containerd/containerd.pid"),
}


def start(work: Work, system: System, root: Path) -> Path | None:
    """Start the engine; returns its log file where it writes one. Does not wait for it to answer."""
    if system.systemd:
        try:
            work.run(["systemctl", "enable", "--now", "docker"], timeout=90)
        except CommandFailedError as error:
            raise OperationError(
                "systemd could not start the Docker engine", "See: systemctl status docker"
            ) from error
        return None
    remove_stale_pid_files(root)
    log = root / LOG
    if not (root / PID_FILES["dockerd"]).exists():
        work.note(f"$ setsid dockerd >>{log}")
        with log.open("ab") as stream:
            # Not one of the commands of this set-up: it must outlive it, and is no child of it.
            subprocess.run(
                ["setsid", "--fork", find_dockerd() or "dockerd"],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                check=True,
                env={**os.environ, "PATH": _system_path()},
                cwd="/",
            )
    return log


def find_dockerd() -> str | None:
    """The engine's program; the PATH of a user often lacks the directories of the system's."""
    return shutil.which("dockerd", path=_system_path())


def _system_path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"


def remove_stale_pid_files(root: Path) -> None:
    """Remove the pid files of an engine that did not end in order.

    When another process has got such a pid meanwhile, `dockerd` takes it for the engine and gives up.
    """
    for program, file in PID_FILES.items():
        if _holder(root, program) != program:
            (root / file).unlink(missing_ok=True)


def _holder(root: Path, program: str) -> str:
    """Name of the process whose id is in the program's pid file; empty when there is none."""
    try:
        pid = (root / PID_FILES[program]).read_text().strip()
        return (root / "proc" / pid / "comm").read_text().strip() if pid.isdigit() else ""
    except OSError:
        return ""


def kernel_has_apparmor() -> bool:
    """Docker then needs AppArmor's parser, which a minimal system may lack."""
    try:
        return Path("/sys/module/apparmor/parameters/enabled").read_text().startswith("Y")
    except OSError:
        return False


def is_running(root: Path) -> bool:
    """An engine's process is there, whether it answers yet or not."""
    return _holder(root, "dockerd") == "dockerd"


def last_lines(log: Path | None, count: int) -> str:
    """The end of a log."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:]) if log else ""
    except OSError:
        return ""
