"""Processes of this machine, as the kernel's /proc shows them, and how a whole tree of them is killed."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path


def kill_with_all_that_it_started(process: subprocess.Popen[str]) -> None:
    """SIGKILL a process and all below it. Each is stopped before, so that none starts another meanwhile."""
    for pid in _stopped_tree(process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    return [pid, *itertools.chain.from_iterable(tree(child) for child in _children(pid))]


def with_command_line(end: str) -> list[int]:
    """Processes whose command line ends so."""
    found = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return [pid for pid in found if " ".join(arguments(pid)).endswith(end)]


def arguments(pid: int) -> list[str]:
    """The command line of a process; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    except OSError:
        return []


def _stopped_tree(pid: int) -> list[int]:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    return [pid, *itertools.chain.from_iterable(_stopped_tree(child) for child in _children(pid))]


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            children += [int(child) for child in task.read_text().split()]
    return children
