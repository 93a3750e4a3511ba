"""What can go wrong with a task, and why workers end."""

from __future__ import annotations

from enum import StrEnum


class TaskFailedError(Exception):
    """The task was run and has no result: `name` and `message` of what it raised, or one of the names
    `WorkerDied`, `MemoryLimitExceeded`, `DeadlineExceeded`, `ProtocolError`."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


class QueueFullError(Exception):
    """Too many tasks wait already; the task was not accepted."""


class WorkersUnavailableError(Exception):
    """The pool does not run, is stopping, or can start no worker; the task has not been done."""


class Ending(StrEnum):
    """Why a worker ended. All but the last three are bad news."""

    CRASHED = "crashed"
    """It exited, or was killed by a signal that the pool did not send."""
    MEMORY = "memory"
    DEADLINE = "deadline"
    PROTOCOL = "protocol"
    """It closed its socket, or sent what is not an answer."""
    UNRESPONSIVE = "unresponsive"
    """It was idle and did not answer the health check."""
    CANCELLED = "cancelled"
    """Whoever asked for its task did not want it any more."""
    USED_UP = "used_up"
    """It had done as many tasks as a worker may."""
    RESTARTED = "restarted"
    STOPPED = "stopped"


TASK_ERRORS = {
    Ending.CRASHED: "WorkerDied",
    Ending.MEMORY: "MemoryLimitExceeded",
    Ending.DEADLINE: "DeadlineExceeded",
    Ending.PROTOCOL: "ProtocolError",
}
"""What a task is reported as whose worker ended so."""
