"""What runs backups by the clock: a timer of systemd, or a line for cron. Nothing of ours stays running."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.errors import ExitCode, OperationError

# What a run by the clock must know of the user's own surroundings. None of them is a secret.
VARIABLES = (
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
)


@dataclass(frozen=True)
class Schedule:
    """The two units and the line of one stack."""

    stack: str
    service: str
    timer: str
    cron: str

    @property
    def name(self) -> str:
        return f"medianest-backup-{self.stack}"

    @property
    def files(self) -> dict[str, str]:
        return {f"{self.name}.service": self.service, f"{self.name}.timer": self.timer}


def make_schedule(stack: str, root: Path, moment: str, environ: Mapping[str, str]) -> Schedule:
    """The schedule of a stack for a time of day, HH:MM. A missed run is made up for.

    Sources: https://www.freedesktop.org/software/systemd/man/latest/systemd.timer.html, crontab(5).
    """
    hour, minute = moment.split(":")
    variables = {name: environ[name] for name in VARIABLES if name in environ}
    # systemd takes % for specifiers of its own.
    lines = [f"Environment={_quote(f'{name}={value}')}" for name, value in variables.items()]
    service = "\n".join(
        [
            "[Unit]",
            f"Description=Backup of stack {stack}",
            "",
            "[Service]",
            "Type=oneshot",
            *lines,
            f"WorkingDirectory={_escape(str(root))}",
            f"ExecStart={_quote(str(root / 'medianest'))} backup {stack} --due",
            "",
        ]
    )
    timer = "\n".join(
        [
            "[Unit]",
            f"Description=Daily backup of stack {stack}",
            "",
            "[Timer]",
            f"OnCalendar=*-*-* {hour}:{minute}:00",
            "Persistent=true",
            "",
            "[Install]",
            "WantedBy=timers.target",
            "",
        ]
    )
    settings = "".join(f"{name}={shlex.quote(value)} " for name, value in variables.items())
    command = f"{settings}{shlex.quote(str(root / 'medianest'))} backup {stack} --due"
    # cron takes a bare % for the end of the line.
    cron = f"{int(minute)} {int(hour)} * * * {command}".replace("%", "\\%")
    return Schedule(stack, service, timer, cron)


def _escape(text: str) -> str:
    return text.replace("%", "%%")


def _quote(text: str) -> str:
    escaped = _escape(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def units_directory(environ: Mapping[str, str], home: Path, *, root: bool) -> tuple[Path, list[str]]:
    """Where units go, and how systemctl is called: the system's for root, else the user's own."""
    if root:
        return Path("/etc/systemd/system"), ["systemctl"]
    base = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return base / "systemd" / "user", ["systemctl", "--user"]


def install(schedule: Schedule, environ: Mapping[str, str]) -> Path:
    """Write the units and start the timer. Returns where they are. Raises OperationError."""
    if "PULUMI_CONFIG_PASSPHRASE" in environ:
        raise OperationError(
            "the passphrase is in a variable, and a timer's unit must not hold it",
            "Put it into a file that only you can read, and set PULUMI_CONFIG_PASSPHRASE_FILE instead.",
            ExitCode.REFUSED,
        )
    directory, systemctl = units_directory(environ, Path.home(), root=os.geteuid() == 0)
    if shutil.which("systemctl") is None or not Path("/run/systemd/system").is_dir():
        raise OperationError(
            "systemd does not run here, so there is nothing that a timer could be given to",
            f"With cron, add this line (crontab -e):\n{schedule.cron}",
            ExitCode.REFUSED,
        )
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in schedule.files.items():
        (directory / name).write_text(content)
    for arguments in (["daemon-reload"], ["enable", "--now", f"{schedule.name}.timer"]):
        done = subprocess.run([*systemctl, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise OperationError(f"systemctl {' '.join(arguments)} failed: {done.stderr.strip()}")
    return directory
