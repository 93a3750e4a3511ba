"""The volumes that hold a stack's data, protected in the one place that declares them."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.containers import volume_labels
from components.stack import Stack


def data_volume(
    stack: Stack, name: str, component: str, opts: pulumi.ResourceOptions | None = None
) -> docker.Volume:
    """Declare a volume with data of `component`, one of `labels.DATA_COMPONENTS`.

    Unless the stack is one to throw away, Pulumi refuses to delete or replace it. It is not kept
    beyond the state (`retain_on_delete`): a volume that the state has forgotten could be neither
    verified nor removed, and the next `up` would begin with an empty one beside it.
    """
    protection = pulumi.ResourceOptions(protect=stack.settings.data.protected)
    return docker.Volume(
        name,
        docker.VolumeArgs(labels=volume_labels(stack.labels(component))),
        pulumi.ResourceOptions.merge(opts, protection),
    )
