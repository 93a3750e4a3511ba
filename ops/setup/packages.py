"""Debian packages: what the system is, and apt-get."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.setup.failure import DEBIAN_PACKAGES, explain
from ops.setup.work import CommandFailedError, Work

UNATTENDED = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
WAIT_FOR_LOCK = ("-o", "DPkg::Lock::Timeout=300")


@dataclass(frozen=True)
class System:
    """What matters of the operating system."""

    debian: bool
    systemd: bool
    root: bool

    @property
    def may_install(self) -> bool:
        """Packages can be installed without asking for more rights."""
        return self.debian and self.root


def read_system(root: Path = Path("/")) -> System:
    """Look at the running system."""
    # The directory that sd_booted(3) looks at.
    return System(
        debian=is_debian(_read(root / "etc/os-release")),
        systemd=(root / "run/systemd/system").is_dir(),
        root=os.geteuid() == 0,
    )


def is_debian(os_release: str) -> bool:
    """True for Debian, Ubuntu and what says it is like them. Takes the text of /etc/os-release."""
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    words = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split()
    return bool({"debian", "ubuntu"} & set(words))


def install_command(packages: Sequence[str]) -> str:
    """What a person types who is not root."""
    return f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {shlex.join(packages)}"


def install_packages(work: Work, packages: Sequence[str], usual_seconds: float) -> None:
    """Install packages; waits for another run of apt. Raises OperationError."""
    finish_interrupted_installation(work)
    names = " ".join(packages)
    with work.activity(f"Installing {names}", usual_seconds):
        try:
            work.run(["apt-get", *WAIT_FOR_LOCK, "update"], environment=UNATTENDED)
            work.run(
                ["apt-get", *WAIT_FOR_LOCK, "install", "-y", "--no-install-recommends", *packages],
                environment=UNATTENDED,
            )
        except CommandFailedError as error:
            raise explain(f"Installing {names} with apt-get", error.tail, DEBIAN_PACKAGES) from error


def finish_interrupted_installation(work: Work) -> None:
    """Carry on where apt-get was stopped in the middle of packages. Raises OperationError."""
    doing = "Finishing an interrupted installation"
    try:
        if not work.output(["dpkg", "--audit"]).strip():
            return
        with work.activity(doing, 20):
            work.run(["dpkg", "--configure", "-a"], environment=UNATTENDED)
            work.run(["apt-get", *WAIT_FOR_LOCK, "install", "-y", "--fix-broken"], environment=UNATTENDED)
    except CommandFailedError as error:
        raise explain(doing, error.tail, DEBIAN_PACKAGES) from error


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
