"""One look at a stack: the guardian's document, or what the engine alone can tell, in the same form.

The form is that of guardian/dashboard/document.py: docs/dashboard.md has it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ops.container_commands import CommandError, run
from ops.engine import Document
from ops.status import ContainerStatus

if TYPE_CHECKING:
    from docker import APIClient

# Without any of these there is no stack.
VITAL = ("gateway", "backend", "postgres", "redis")
ASK = ("python3", "-m", "guardian", "document")
UNWATCHED = "It is not watched (medianest:monitoring), so errors and times are not known."


def look(api: APIClient, project: str, stack: str) -> Mapping[str, Any]:
    """What there is to tell now. Raises what the Docker SDK does where the engine does not answer."""
    from ops.engine import containers

    guardian = guardian_of(containers(api, project, stack))
    if guardian is None:
        return seen_by_the_engine(api, project, stack, "")
    try:
        return asked(api, guardian)
    except CommandError as error:
        said = error.said.strip().splitlines()[-1:] or ["its container does not answer"]
        return seen_by_the_engine(api, project, stack, f"The guardian tells nothing: {said[0][:200]}.")


def guardian_of(listed: Sequence[Document]) -> str | None:
    """The id of a stack's guardian, None where it has none. One that does not run is one all the same."""
    from components import labels

    found = [item for item in listed if (item.get("Labels") or {}).get(labels.COMPONENT) == "guardian"]
    # The loader of its secrets has another component.
    return str(found[0]["Id"]) if found else None


def asked(api: APIClient, guardian: str) -> Mapping[str, Any]:
    """The guardian's own document. Raises CommandError."""
    from docker.errors import APIError

    try:
        out, _ = run(api, guardian, ASK, "asking the guardian")
        document = json.loads(out)
    except APIError as error:
        # It is stopped, paused, or being replaced.
        raise CommandError("asking the guardian", None, str(error.explanation)) from error
    except ValueError:
        raise CommandError("asking the guardian", None, "it answers with something else") from None
    return dict(document)


def seen_by_the_engine(api: APIClient, project: str, stack: str, problem: str) -> Mapping[str, Any]:
    """Without a guardian that answers. `problem` says why it does not, empty where there is none."""
    from ops.status import gather

    return described(stack, gather(api, project, stack, {}), time.time(), problem)


def described(
    stack: str, containers: Sequence[ContainerStatus], now: float, problem: str
) -> Mapping[str, Any]:
    """The document that containers alone make."""
    releases: dict[str, list[ContainerStatus]] = {}
    for item in containers:
        if item.component == "backend":
            releases.setdefault(item.release, []).append(item)
    return {
        "stack": stack,
        "now": now,
        "verdict": _verdict(containers, problem),
        "seen_at": now,
        "figures_at": 0.0,
        "watched": bool(problem),
        "stale": {"engine": "", "figures": problem},
        "containers": [_use(item, now) for item in sorted(containers, key=lambda item: item.is_well)],
        "releases": [
            {
                "release": release,
                "since": min(now - item.uptime_seconds for item in own),
                "containers": [item.container for item in own],
            }
            for release, own in releases.items()
        ],
        "traffic": {},
        "routes": [],
        "resources": {},
        "alerts": [],
        "healing": {"entries": [], "given_up": []},
        "deploying": "",
        "drift": [],
    }


def _verdict(containers: Sequence[ContainerStatus], problem: str) -> dict[str, str]:
    if not any(item.state == "running" for item in containers):
        return {"word": "stopped", "reason": "Nothing of the stack runs."}
    down = [
        component
        for component in VITAL
        if not any(item.is_well for item in containers if item.component == component)
    ]
    if down:
        does = "does" if len(down) == 1 else "do"
        return {"word": "down", "reason": f"{', '.join(down)} {does} not serve."}
    ailing = [item for item in containers if not item.is_well]
    if ailing:
        first = ailing[0]
        more = f", and {len(ailing) - 1} more" if len(ailing) > 1 else ""
        condition = first.health if first.state == "running" else first.state
        return {"word": "degraded", "reason": f"{first.container} is {condition}{more}."}
    if problem:
        return {"word": "degraded", "reason": problem}
    return {"word": "well", "reason": f"All {len(containers)} containers are well. {UNWATCHED}"}


def _use(item: ContainerStatus, now: float) -> dict[str, Any]:
    return {
        "component": item.component,
        "container": item.container,
        "well": item.is_well,
        "state": item.state,
        "health": item.health or "none",
        "release": item.release,
        "since": now - item.uptime_seconds if item.uptime_seconds else 0.0,
        "restarts": item.restarts,
        "memory": item.memory_bytes or None,
        "memory_limit": item.memory_limit_bytes,
        "cores": None,
        "cores_limit": 0.0,
        "processes": None,
        "processes_limit": 0,
    }
