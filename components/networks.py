"""The two networks of a stack: the public side and the data side, which has no way out."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.containers import network_labels
from components.stack import Stack


class Networks(pulumi.ComponentResource):
    """`public` for the gateway and the backends, internal `data` for the backends and their services."""

    public: pulumi.Output[str]
    data: pulumi.Output[str]

    def __init__(self, stack: Stack, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("medianest:index:Networks", "networks", {}, opts)
        labels = network_labels(stack.labels("network"))
        child = pulumi.ResourceOptions(parent=self)
        self.public = docker.Network("public", docker.NetworkArgs(labels=labels), child).name
        self.data = docker.Network("data", docker.NetworkArgs(internal=True, labels=labels), child).name
        self.register_outputs({})
