"""What runs a command by the clock: a timer of systemd, or a line for cron. Nothing of ours stays running."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.errors import ExitCode, OperationError
from ops.output import Output

# What a run by the clock must know of the user's own surroundings. None of them is a secret.
VARIABLES = (
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    # Where pull requests are asked for. The token is a secret, and is not taken over.
    "GITHUB_REPOSITORY",
    "GITHUB_API_URL",
    "CI_API_V4_URL",
    "CI_PROJECT_ID",
)


@dataclass(frozen=True)
class Timer:
    """Runs one command by the clock. `name` is that of its units."""

    name: str
    service: str
    timer: str
    cron: str

    @property
    def files(self) -> dict[str, str]:
        return {f"{self.name}.service": self.service, f"{self.name}.timer": self.timer}

    def as_text(self) -> str:
        """The units and the line for cron, for people."""
        units = [f"# {name}\n{content}" for name, content in self.files.items()]
        return "\n".join([*units, f"# crontab\n{self.cron}"])


def make_timer(
    name: str,
    title: str,
    arguments: Sequence[str],
    moments: tuple[str, str],
    root: Path,
    environ: Mapping[str, str],
) -> Timer:
    """The timer of one command of ours. A missed run is made up for.

    `moments` says when: as systemd's OnCalendar, and as the first five fields of a crontab's line.
    Sources: https://www.freedesktop.org/software/systemd/man/latest/systemd.timer.html, crontab(5).
    """
    variables = {variable: environ[variable] for variable in VARIABLES if variable in environ}
    calendar, fields = moments
    # systemd takes % for specifiers of its own.
    lines = [f"Environment={_quote(f'{variable}={value}')}" for variable, value in variables.items()]
    service = "\n".join(
        [
            "[Unit]",
            f"Description={title}",
            "",
            "[Service]",
            "Type=oneshot",
            *lines,
            f"WorkingDirectory={_escape(str(root))}",
            f"ExecStart={_quote(str(root / 'medianest'))} {' '.join(arguments)}",
            "",
        ]
    )
    timer = "\n".join(
        [
            "[Unit]",
            f"Description={title}, by the clock",
            "",
            "[Timer]",
            f"OnCalendar={calendar}",
            "Persistent=true",
            "",
            "[Install]",
            "WantedBy=timers.target",
            "",
        ]
    )
    settings = "".join(f"{variable}={shlex.quote(value)} " for variable, value in variables.items())
    command = f"{settings}{shlex.quote(str(root / 'medianest'))} {' '.join(arguments)}"
    # cron takes a bare % for the end of the line.
    return Timer(name, service, timer, f"{fields} {command}".replace("%", "\\%"))


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


def offer(timer: Timer, environ: Mapping[str, str], output: Output, *, start: bool, done: str) -> None:
    """Show the timer, or `start` it and say that what it is for is `done`. Raises OperationError."""
    directory = install(timer, environ) if start else None
    output.document({"files": timer.files, "cron": timer.cron, "installed": str(directory or "") or None})
    if output.as_json:
        return
    if directory:
        output.show(f"[bold green]{done}:[/] {timer.name}.timer in {directory}")
    else:
        print(timer.as_text())


def install(timer: Timer, environ: Mapping[str, str]) -> Path:
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
            f"With cron, add this line (crontab -e):\n{timer.cron}",
            ExitCode.REFUSED,
        )
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in timer.files.items():
        (directory / name).write_text(content)
    for arguments in (["daemon-reload"], ["enable", "--now", f"{timer.name}.timer"]):
        done = subprocess.run([*systemctl, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise OperationError(f"systemctl {' '.join(arguments)} failed: {done.stderr.strip()}")
    return directory
