"""The lock that Pulumi's file back end holds while a stack is changed.

One file a run, `.pulumi/locks/organization/<project>/<stack>/<id>.json`. A run that was killed leaves
it behind.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

# Of a process that has ended, in the kernel's letters.
DEAD_STATES = frozenset("ZXx")


@dataclass(frozen=True)
class Lock:
    """Who changes a stack, and since when; `path` is the file that says so."""

    pid: int
    user: str
    host: str
    since: str
    path: Path = field(default=Path(), compare=False)


class Holder(Enum):
    """What is known of the run that holds a lock."""

    RUNNING = "running"
    DEAD = "dead"
    ELSEWHERE = "elsewhere"


def read_locks(directory: Path) -> list[Lock]:
    """The locks of one stack, the oldest first. Files that vanish meanwhile are no locks."""
    locks = []
    for path in directory.glob("*.json") if directory.is_dir() else ():
        try:
            content = json.loads(path.read_text())
            who = content["pid"], content["username"], content["hostname"], content["timestamp"]
            locks.append(Lock(*who, path))
        except (OSError, ValueError, KeyError):
            continue
    return sorted(locks, key=lambda lock: lock.since)


def holder(lock: Lock, host: str, running: bool) -> Holder:
    """Judge a lock, seen from `host`, where `running` says whether a pulumi has the lock's pid."""
    if lock.host != host:
        return Holder.ELSEWHERE
    return Holder.RUNNING if running else Holder.DEAD


def this_host() -> str:
    return socket.gethostname()


def is_pulumi(pid: int) -> bool:
    """Whether a process of that id is there and is a pulumi: ids are given out again."""
    try:
        # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: id, (name), state, …
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    except FileNotFoundError:
        return False if Path("/proc/self").exists() else is_there(pid)
    except OSError:
        return True
    # A killed one stays as a zombie until its parent takes note, which an idle init may take long to.
    return name.startswith("pulumi") and rest.split()[0] not in DEAD_STATES


def is_there(pid: int) -> bool:
    """Whether any process has that id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
