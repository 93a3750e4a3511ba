"""A mark on the engine while an update or a restore is under way: the stack's guardian keeps its hands off.

An empty volume with the stack's labels: the guardian sees nothing else of what happens here. It does not
count for longer than half an hour, so that one that a killed run has left does no harm.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from components import labels
from ops.engine import label_filter
from ops.lock import is_there, this_host

if TYPE_CHECKING:
    from docker import APIClient

# As guardian/settings.py has it: `deploy_seconds`.
COUNTS_SECONDS = 1800


@contextmanager
def deploying(api: APIClient, project: str, stack: str, owner: str | None) -> Iterator[None]:
    """Mark the stack while the block runs. A stack that nobody owns yet has no guardian."""
    if owner is None:
        yield
        return
    own = {labels.PROJECT: project, labels.STACK: stack, labels.OWNER: owner}
    about = {
        labels.COMPONENT: labels.DEPLOYING,
        labels.SINCE: str(int(time.time())),
        labels.RUN: f"{this_host()} {os.getpid()}",
    }
    mark = str(api.create_volume(labels={**own, **about})["Name"])
    try:
        yield
    finally:
        clear(api, project, stack, owner, mark)


def clear(api: APIClient, project: str, stack: str, owner: str, mark: str) -> None:
    """Remove a run's own mark, and those that killed runs have left; another run's stays.

    Raises nothing: how the block went is what matters, and no mark counts for long.
    """
    from docker.errors import DockerException

    def remove(name: str) -> None:
        with suppress(DockerException, OSError):
            api.remove_volume(name)

    remove(mark)
    wanted = label_filter(project, stack, owner)
    wanted["label"].append(f"{labels.COMPONENT}={labels.DEPLOYING}")
    with suppress(DockerException, OSError):
        for volume in api.volumes(filters=wanted)["Volumes"] or ():
            if is_over(volume["Labels"], time.time()):
                remove(volume["Name"])


def is_over(own: Mapping[str, str], now: float) -> bool:
    """Whether a mark, by its labels, counts no longer, or its run has ended as far as can be told here."""
    since = own.get(labels.SINCE, "")
    if not since.isdecimal() or now - int(since) >= COUNTS_SECONDS:
        return True
    host, _, pid = own.get(labels.RUN, "").partition(" ")
    return host == this_host() and pid.isdecimal() and not is_there(int(pid))
