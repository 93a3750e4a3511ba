"""Environments that nobody asks: found by the gateway's log, stopped with their data, started again.

What is stopped through the engine's API stays stopped after a reboot (`unless-stopped`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from components import labels
from ops.engine import Document, containers
from ops.errors import OperationError
from ops.traffic import MOST_LINES, read_request

if TYPE_CHECKING:
    from docker import APIClient

    from ops.state import StackState

Item = TypeVar("Item")
# What others need starts first and stops last.
STAGES = (("postgres", "redis"), ("backend", "gateway"))
COMPONENTS = tuple(component for stage in STAGES for component in stage)
GRACE_SECONDS = 20
READY_SECONDS = 60.0
PAUSE_SECONDS = 0.1


def parts_of(api: APIClient, project: str, stack: str, owner: str) -> dict[str, list[Document]]:
    """The containers of an environment that run or did, by component. Loaders never ran."""
    found: dict[str, list[Document]] = {component: [] for component in COMPONENTS}
    for item in containers(api, project, stack):
        own = item["Labels"] or {}
        component = own.get(labels.COMPONENT)
        if own.get(labels.OWNER) == owner and component in found and item["State"] != "created":
            found[component].append(item)
    return found


def is_stopped(parts: dict[str, list[Document]]) -> bool:
    """Whether all of it is there, and none of it runs."""
    found = [item for listed in parts.values() for item in listed]
    return all(parts.values()) and all(item["State"] == "exited" for item in found)


def last_request(lines: Iterable[str], ignored_paths: Collection[str]) -> datetime | None:
    """When the newest request in a gateway's log was, out of lines that begin with the engine's time."""
    for line in reversed(list(lines)):
        moment, _, said = line.partition(" ")
        request = read_request(said)
        if request is not None and request.path not in ignored_paths:
            return datetime.fromisoformat(moment)
    return None


def idle_since(api: APIClient, gateways: Sequence[Document], probes: Collection[str]) -> datetime | None:
    """Since when nobody has asked but health probes; None where no gateway runs.

    At the earliest since the gateway was started: what has been woken has just been asked for.
    """
    from ops.measures import parse_time

    moments = []
    for gateway in gateways:
        if gateway["State"] == "running":
            log: bytes = api.logs(gateway["Id"], timestamps=True, tail=MOST_LINES)
            moments.append(last_request(log.decode(errors="replace").splitlines(), probes))
            moments.append(parse_time(api.inspect_container(gateway["Id"])["State"]["StartedAt"]))
    return max((moment for moment in moments if moment), default=None)


def stop(api: APIClient, parts: dict[str, list[Document]]) -> None:
    """Stop an environment; its data and its lease stay."""
    for stage in reversed(STAGES):
        items = [item for component in stage for item in parts[component]]
        _each(lambda item: api.stop(item["Id"], timeout=GRACE_SECONDS), items)


def wake(api: APIClient, state: StackState, say: Callable[[str], None]) -> float:
    """Start a stopped environment, and wait until all of it is healthy. Returns the seconds it took.

    Raises OperationError, with the end of a log, for what does not get healthy.
    """
    from docker.errors import APIError

    from ops.drift.quick import wait_until_healthy

    began = time.monotonic()
    names: dict[str, list[str]] = state.outputs["containers"]
    say("Waking what was stopped")
    try:
        for stage in STAGES:
            staged = [name for component in stage for name in names[component]]
            _each(api.start, staged)
            # The engine would look only after its first interval, and what follows would wait for that.
            if stage != STAGES[-1]:
                _each(lambda name: _ready(api, name), staged)
    except APIError as error:
        raise OperationError(f"it cannot be started again: {error.explanation or error}") from error
    wait_until_healthy(api, [name for listed in names.values() for name in listed])
    return time.monotonic() - began


def _ready(api: APIClient, container: str) -> None:
    """Ask a container's own health check until it says yes. Raises OperationError."""
    from ops.container_commands import CommandError, run

    kind, *command = api.inspect_container(container)["Config"]["Healthcheck"]["Test"]
    asked = command if kind == "CMD" else ["sh", "-c", *command]
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            run(api, container, asked, f"the health check of {container}")
            return
        except CommandError:
            if time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_SECONDS)


def _each(work: Callable[[Item], object], items: Sequence[Item]) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(work, items))
