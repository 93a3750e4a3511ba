"""The quick look: what of a stack is gone or stopped behind Pulumi's back.

Pulumi trusts its state until it is told to look (`--refresh`), which costs seconds. One look at what
the engine lists tells whether that is needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ops.engine import Document, Resource, log_tail
from ops.errors import OperationError
from ops.names import CONTAINER, NETWORK, VOLUME, must_run
from ops.state import StackState

if TYPE_CHECKING:
    from docker import APIClient

KINDS = {CONTAINER: "container", NETWORK: "network", VOLUME: "volume"}
HEALTHY_SECONDS = 120
SHOWN_LINES = 10


def drifted(state: StackState | None, live: Iterable[Resource], running: Iterable[Document]) -> list[str]:
    """What the state has and the engine has not, or has stopped: "container NAME is stopped", …"""
    if state is None:
        return []
    present = {(resource.kind, resource.id) for resource in live}
    up = {item["Id"] for item in running if item["State"] == "running"}
    found = []
    for resource in state.resources:
        kind = KINDS.get(resource["type"])
        # What failed while it was made was never in use, and is made anew in any case.
        unfinished = resource.get("delete") or resource.get("initErrors")
        if kind is None or unfinished or "id" not in resource:
            continue
        name = (resource.get("outputs") or {}).get("name", resource["id"])
        if (kind, resource["id"]) not in present:
            found.append(f"{kind} {name} is gone")
        elif kind == "container" and must_run(resource.get("inputs") or {}) and resource["id"] not in up:
            found.append(f"container {name} is stopped")
    return found


def unseen(state: StackState | None, running: Iterable[Document]) -> list[str]:
    """What the list of containers tells of beside: Pulumi's provider does not look at it."""
    if state is None:
        return []
    live = {item["Id"]: item for item in running}
    found = []
    for resource in state.resources:
        inputs = resource.get("inputs") or {}
        item = live.get(str(resource.get("id")))
        networks = inputs.get("networksAdvanced")
        if resource["type"] != CONTAINER or item is None or not isinstance(networks, list):
            continue
        attached = set((item.get("NetworkSettings") or {}).get("Networks") or {})
        declared = {network["name"] for network in networks}
        name = inputs.get("name", resource["id"])
        found += [f"container {name} is not on network {missing}" for missing in sorted(declared - attached)]
        found += [f"container {name} is on network {more}" for more in sorted(attached - declared)]
    return found


def announce_unseen(stack: str, found: Sequence[str], say: Callable[[str], None]) -> None:
    """One line for all of it, with the command that tells, and mends, the rest."""
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        say(f"Changed, and not seen by Pulumi: {found[0]}{more}. Mend it: ./medianest drift {stack} --fix")


def wait_until_healthy(
    api: APIClient, names: Sequence[str], seconds: float = HEALTHY_SECONDS, pause: float = 0.25
) -> None:
    """Wait for containers that Pulumi has started again, which it does not do itself.

    Raises OperationError, with the end of its log, for one that is not healthy in time.
    """
    deadline = time.monotonic() + seconds
    waiting = list(names)
    while waiting := [name for name in waiting if health(api.inspect_container(name)) != "healthy"]:
        if time.monotonic() > deadline:
            log = "\n".join(f"    {line}" for line in log_tail(api, waiting[0], SHOWN_LINES))
            raise OperationError(
                f"{', '.join(waiting)} did not get healthy in {seconds:.0f} s; the end of its log:\n{log}",
                f"All of it: docker logs {waiting[0]}",
            )
        time.sleep(pause)


def health(inspected: Document) -> str:
    """A container's health as the engine tells it, or its status where it does not run."""
    state = inspected["State"]
    return str(state["Health"]["Status"] if state["Running"] and "Health" in state else state["Status"])


def announce(found: Sequence[str], say: Callable[[str], None]) -> None:
    for line in found:
        say(f"Behind Pulumi's back: {line}")
