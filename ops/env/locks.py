"""Locks of this user's runs: one run an environment, one at a time for ports, a few updates at once.

The kernel gives a lock back when its process ends, however that ends. Pulumi's own lock comes on top,
and holds also against plain Pulumi and other hosts.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ops.environment import private_directory
from ops.errors import ExitCode, OperationError
from ops.paths import state_directory

PAUSE_SECONDS = 0.1
PORTS_SECONDS = 60


@dataclass(frozen=True)
class Hold:
    """A lock that this process holds. What is written into it counts as long as it is held."""

    descriptor: int

    def reserve(self, port: int) -> None:
        os.pwrite(self.descriptor, f"{port:5}".encode(), 0)


@contextmanager
def only_run(project: str, stack: str) -> Iterator[Hold]:
    """Be the only run on an environment. Raises OperationError while there is another one, and for a
    name that none can have: it becomes part of a path."""
    check_name(stack)
    path = directory(project) / f"{stack}.lock"
    descriptor = _take(path)
    if descriptor is None:
        raise OperationError(
            f"environment {stack} is being changed by another run", "Wait for it to end.", ExitCode.REFUSED
        )
    with _until_the_end(path, descriptor):
        yield Hold(descriptor)


def check_name(name: str) -> None:
    """Raises OperationError for what cannot be a stack's name."""
    from components.settings import SettingsError, check_stack_name

    try:
        check_stack_name(name)
    except SettingsError as error:
        raise OperationError("; ".join(error.problems), code=ExitCode.USAGE) from error


@contextmanager
def ports_lock(project: str) -> Iterator[None]:
    """One at a time: between looking for a free port and reserving it nobody else looks."""
    path = directory(project) / "ports"
    deadline = time.monotonic() + PORTS_SECONDS
    while (descriptor := _take(path)) is None:
        if time.monotonic() > deadline:
            raise OperationError(
                "another run has been looking for a free port for a minute", "End it.", ExitCode.REFUSED
            )
        time.sleep(PAUSE_SECONDS)
    with _until_the_end(path, descriptor):
        yield


def reserved_ports(project: str) -> set[int]:
    """Ports of environments that are being made: a dead run reserves nothing."""
    found = set()
    for path in directory(project).glob("*.lock"):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = os.pread(descriptor, 5, 0).strip()
                found |= {int(text)} if text.isdigit() else set()
            finally:
                os.close(descriptor)
    return found


@contextmanager
def turn(project: str, say: Callable[[str], None]) -> Iterator[None]:
    """Wait for a turn: on a machine that does too much at once, starts run into their time-outs."""
    paths = [directory(project) / f"turn-{number}" for number in range(max(2, os.cpu_count() or 1))]
    said = False
    while not (taken := next(((path, held) for path in paths if (held := _take(path)) is not None), None)):
        if not said:
            say(f"Waiting for a turn: {len(paths)} environments are being changed")
            said = True
        time.sleep(PAUSE_SECONDS)
    with _until_the_end(*taken):
        yield


def directory(project: str) -> Path:
    """Where the locks of a user's environments are."""
    private_directory(state_directory())
    return private_directory(private_directory(state_directory() / "environments") / project)


def _take(path: Path) -> int | None:
    """The descriptor of a lock that was free; None for one that is held."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        # Who held it before may have removed it meanwhile: then it is not the lock any more.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)


@contextmanager
def _until_the_end(path: Path, descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
