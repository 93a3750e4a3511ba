"""The lease of a stack to throw away: one empty volume whose labels say until when the stack may live.

A label that changes makes a resource anew. So what changes is on a resource of its own, to which nothing
else refers: extending a lease replaces the lease and nothing else. It outlives the state: whoever cleans
up reads it off the engine. The new one is there before the old one goes, so that no moment is without.
"""

from __future__ import annotations

import pulumi_docker as docker

from components import labels
from components.containers import volume_labels
from components.settings import LeaseSettings
from components.stack import Stack


def lease_volume(stack: Stack, lease: LeaseSettings) -> docker.Volume:
    """Declare the lease. It holds no data and is not protected."""
    own = {
        labels.EXPIRES: lease.expires,
        labels.PORT: str(stack.settings.gateway.port),
        labels.BASE: lease.base,
        labels.HOME: lease.home,
    }
    if lease.pull_request is not None:
        own[labels.PULL_REQUEST] = str(lease.pull_request)
    return docker.Volume(
        "lease", docker.VolumeArgs(labels=volume_labels({**stack.labels(labels.LEASE), **own}))
    )
