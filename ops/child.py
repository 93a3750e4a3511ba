"""A child process that leads a session of its own: reads what it writes, stops it, clears up after it."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

LOOK_SECONDS = 0.2
CHUNK_BYTES = 65536
STOP_SECONDS = 60
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupted_with_parent(command: Sequence[str]) -> list[str]:
    """A command that gets SIGINT when the thread that starts it ends, which is to be the main one.

    So nothing runs on unattended where this process is killed and cannot stop it. A program of its own
    sets that, since code between fork and exec may hang where there are threads. Where there is no such
    program, on other systems than Linux, the command as it is.
    Source: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    setter = shutil.which("setpriv")
    return [setter, "--pdeathsig", "INT", "--", *command] if setter else list(command)


def lines_of(pipe: IO[bytes], process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """The lines that a child writes, until it has ended.

    The end of the child ends it, not that of the pipe: what the child has started inherits the pipe
    and may outlive it.
    """
    rest = b""
    while True:
        ended = process.poll() is not None
        if not select.select([pipe], [], [], 0 if ended else LOOK_SECONDS)[0]:
            if ended:
                return
            continue
        chunk = os.read(pipe.fileno(), CHUNK_BYTES)
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


@contextmanager
def forwarding_interrupts(
    process: subprocess.Popen[bytes], on_interrupt: Callable[[int], None]
) -> Iterator[list[int]]:
    """Forward the first two interrupts to a child as SIGINT; from the third on kill it.

    SIGTERM and SIGHUP count as Ctrl-C. Gives the list of those received so far.
    """
    received: list[int] = []

    def forward(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        if process.poll() is None:
            process.send_signal(signal.SIGINT if len(received) <= 2 else signal.SIGKILL)
        on_interrupt(len(received))

    before = [signal.signal(number, forward) for number in INTERRUPTS]
    try:
        yield received
    finally:
        for number, handler in zip(INTERRUPTS, before, strict=True):
            signal.signal(number, handler)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a child that has not ended, in order if it can, and what is left of its session."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for member in session_members(process.pid):
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)


def session_members(leader: int, proc: Path = Path("/proc")) -> list[int]:
    """Ids of the processes of a session. Source of the form: proc_pid_stat(5), field 6."""
    members = []
    for stat in proc.glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in parentheses may hold spaces and parentheses itself.
            state, _parent, _group, session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                members.append(int(stat.parent.name))
    return members
