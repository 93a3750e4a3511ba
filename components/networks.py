"""The networks of a stack: the public side, and the data and monitoring sides, which have no way out."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.containers import network_labels
from components.stack import Stack


class Networks(pulumi.ComponentResource):
    """`public` for the gateway and the backends, internal `data` for the backends and their services.

    Internal `monitoring` is for what watches a stack, where it is watched.
    """

    public: pulumi.Output[str]
    data: pulumi.Output[str]
    monitoring: pulumi.Output[str] | None

    def __init__(self, stack: Stack, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("medianest:index:Networks", "networks", {}, opts)
        labels = network_labels(stack.labels("network"))
        child = pulumi.ResourceOptions(parent=self)
        self.public = docker.Network("public", docker.NetworkArgs(labels=labels), child).name
        internal = docker.NetworkArgs(internal=True, labels=labels)
        self.data = docker.Network("data", internal, child).name
        watched = stack.settings.monitoring.enabled
        self.monitoring = docker.Network("monitoring", internal, child).name if watched else None
        self.register_outputs({})
