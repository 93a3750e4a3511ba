"""Ends a run of Pulumi whose `medianest` is no more.

Killed with SIGKILL, `medianest` cannot stop what it has started. Its Pulumi is sent an interrupt by the
kernel then (see ops.child): it lets what it has begun end, saves its state and gives the lock back. A
command that comes meanwhile waits for that; after a while it asks again, and Pulumi stops at once.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ops.lock import Holder, Lock, holder, is_pulumi, read_locks, this_host

if TYPE_CHECKING:
    from ops.session import Session

# An image may be on its way, or a container that is waited for.
PATIENCE_SECONDS = 60.0
# To note in the state what was under way.
STOP_SECONDS = 15.0
PAUSE_SECONDS = 0.1
# What ops.pulumi starts, and nobody else: the flag is hidden.
OURS = "--event-log"
COMMAND_LINE = ("-m", "ops")


def end_left_alone(session: Session, stack: str, say: Callable[[str], None]) -> None:
    """Wait for a run that was left alone, and interrupt it where that takes long.

    Whether it has ended then is for the preflight to judge. Runs that somebody looks after, and those of
    others, are left to themselves.
    """
    if session.files is None:
        return
    locks = session.files.locks(session.project.name, stack)
    for lock in read_locks(locks):
        if holder(lock, this_host(), running=is_pulumi(lock.pid)) is Holder.RUNNING and left_alone(lock.pid):
            say(
                f"An earlier run was killed. Its Pulumi (process {lock.pid}) ends what it has begun: "
                "waiting for it"
            )
            _end(lock)


def _end(lock: Lock) -> None:
    if _ended(lock, PATIENCE_SECONDS):
        return
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(lock.pid, number)
        if _ended(lock, STOP_SECONDS):
            return


def _ended(lock: Lock, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_pulumi(lock.pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_SECONDS)
    return True


def left_alone(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process is a Pulumi that this command line started, and its parent another one now.

    Source of the forms: proc_pid_cmdline(5), proc_pid_stat(5) (field 4).
    """
    try:
        if OURS not in _arguments(proc / str(pid)):
            return False
        parent = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[1]
        arguments = _arguments(proc / parent)
    except OSError:
        return False
    return COMMAND_LINE not in itertools.pairwise(arguments)


def _arguments(process: Path) -> Sequence[str]:
    return process.joinpath("cmdline").read_text(errors="replace").split("\0")
