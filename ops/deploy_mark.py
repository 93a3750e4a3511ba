"""A mark on the engine while an update is under way, so that the guardian of the stack keeps its hands off.

An empty volume with the stack's labels: the guardian sees nothing else of what happens here. It does not
count for longer than half an hour, so that one that a killed run has left does no harm.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from components import labels
from ops.engine import label_filter

if TYPE_CHECKING:
    from docker import APIClient


@contextmanager
def deploying(api: APIClient, project: str, stack: str, owner: str | None) -> Iterator[None]:
    """Mark the stack while the block runs. A stack that nobody owns yet has no guardian."""
    if owner is None:
        yield
        return
    own = {labels.PROJECT: project, labels.STACK: stack, labels.OWNER: owner}
    since = {labels.COMPONENT: labels.DEPLOYING, labels.SINCE: str(int(time.time()))}
    api.create_volume(labels={**own, **since})
    try:
        yield
    finally:
        # With those that killed runs have left.
        clear(api, project, stack, owner)


def clear(api: APIClient, project: str, stack: str, owner: str) -> None:
    """Remove all marks of a stack."""
    from docker.errors import APIError

    wanted = label_filter(project, stack, owner)
    wanted["label"].append(f"{labels.COMPONENT}={labels.DEPLOYING}")
    for volume in api.volumes(filters=wanted)["Volumes"] or ():
        try:
            api.remove_volume(volume["Name"])
        except APIError:
            # It does not count for long.
            continue
