"""Containers that the engine restarts over and over: each time they look well for a while.

The engine counts restarts and keeps the time of the last exit. Its events would tell each exit, but it
keeps 256 of them, which the health checks of one stack fill within a minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ops.engine import Document, connect, log_tail
from ops.errors import ExitCode, OperationError
from ops.measures import parse_time

if TYPE_CHECKING:
    from docker import APIClient

    from ops.session import Session

# A loop: so many restarts, the last exit within so many seconds.
RESTARTS, SECONDS = 3, 300
LOG_LINES = 8


@dataclass(frozen=True)
class RestartLoop:
    """A container in a loop. `exit_code` is that of its last exit, None where the engine forgot it."""

    container: str
    restarts: int
    seconds_ago: int
    exit_code: int | None
    out_of_memory: bool
    log: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def summary(self) -> str:
        """The loop without the log."""
        why = ", killed because it used more memory than its limit" if self.out_of_memory else ""
        code = (
            "an exit code that the engine forgot" if self.exit_code is None else f"exit code {self.exit_code}"
        )
        return (
            f"{self.container} is in a restart loop: restarted {self.restarts} times, "
            f"ended last {self.seconds_ago} s ago with {code}{why}"
        )

    def __str__(self) -> str:
        log = "".join(f"\n    {line}" for line in self.log) if self.log else " nothing"
        return f"{self.summary}; the end of its log:{log}"


def seconds_since_exit(inspected: Document, now: datetime) -> int | None:
    """How long ago a container in a loop ended last; None for one that is in no loop."""
    ended = parse_time(inspected["State"].get("FinishedAt", ""))
    if ended is None or inspected.get("RestartCount", 0) < RESTARTS:
        return None
    ago = now - ended
    return max(0, round(ago.total_seconds())) if ago <= timedelta(seconds=SECONDS) else None


def find_loops(api: APIClient, containers: Iterable[Document]) -> list[RestartLoop]:
    """Those of the inspected containers that are in a loop, with what the engine knows of them."""
    now = datetime.now(UTC)
    return [
        RestartLoop(
            container=str(inspected["Name"]).lstrip("/"),
            restarts=int(inspected["RestartCount"]),
            seconds_ago=ago,
            exit_code=_last_exit_code(api, inspected, now),
            out_of_memory=bool(inspected["State"].get("OOMKilled")),
            log=log_tail(api, inspected["Id"], LOG_LINES),
        )
        for inspected in containers
        if (ago := seconds_since_exit(inspected, now)) is not None
    ]


def loops_of(session: Session, outputs: Document) -> list[RestartLoop]:
    """Those of a deployed stack's containers that are in a loop."""
    from docker.errors import NotFound

    with closing(connect(session.environment)) as api:
        found = []
        for name in (name for listed in outputs["containers"].values() for name in listed):
            with suppress(NotFound):
                found.append(api.inspect_container(name))
        return find_loops(api, found)


def refuse(loops: Sequence[RestartLoop], stack: str, report: Mapping[str, Any]) -> None:
    """Raises OperationError where there is a loop."""
    if loops:
        raise OperationError(
            "\n".join(str(loop) for loop in loops),
            f"Correct what it says, then: ./medianest up {stack}. All of it: ./medianest logs {stack}",
            ExitCode.NOT_VERIFIED,
            {**report, "restart_loops": [loop.as_json() for loop in loops]},
        )


def _last_exit_code(api: APIClient, inspected: Document, now: datetime) -> int | None:
    """The engine sets the code back to 0 when it starts a container: then only its events know it."""
    state = inspected["State"]
    if not state.get("Running") or state.get("Restarting"):
        return int(state["ExitCode"])
    events = api.events(
        since=int(now.timestamp()) - SECONDS,
        until=int(now.timestamp()) + 1,
        filters={"container": inspected["Id"], "event": "die"},
        decode=True,
    )
    codes = [event["Actor"]["Attributes"].get("exitCode") for event in events]
    return int(codes[-1]) if codes and codes[-1] is not None else None
