"""The gateway: owns the published port, finds the backends by DNS and checks their health itself."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.configuration_files import configuration_files
from components.containers import run_workload
from components.gateway_configuration import INTERNAL_PORT, PUBLIC_PORT, gateway_configuration
from components.images import Images
from components.networks import Networks
from components.settings import url_of
from components.stack import Stack
from components.workload import Attachment, Probe, PublishedPort, UpdatePolicy, Workload

USER = "99"
DIRECTORY = "/etc/haproxy"


class Gateway(pulumi.ComponentResource):
    """HAProxy. `url` is where it is published.

    A changed configuration goes into its volume and is reloaded without a dropped request; only
    another image, port, mount or limit replaces the container.
    """

    url: pulumi.Output[str]
    containers: list[docker.Container]

    def __init__(
        self,
        stack: Stack,
        networks: Networks,
        images: Images,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("medianest:index:Gateway", "gateway", {}, opts)
        settings = stack.settings.gateway
        child = pulumi.ResourceOptions(parent=self)
        configuration = configuration_files(
            stack,
            "gateway",
            DIRECTORY,
            {"haproxy.cfg": gateway_configuration(settings, stack.settings.backend)},
            user=USER,
            opts=child,
        )
        self.containers = run_workload(
            "gateway",
            Workload(
                component="gateway",
                image=images.gateway.id,
                user=USER,
                mounts=[configuration.mount],
                tmpfs={
                    "/tmp": "rw,noexec,nosuid,nodev,size=16m",  # noqa: S108 - inside the container
                    "/run/haproxy": f"rw,noexec,nosuid,nodev,size=1m,uid={USER},gid={USER},mode=0750",
                },
                networks=[Attachment(networks.public, ["gateway"])],
                published=PublishedPort(settings.address, settings.port, PUBLIC_PORT),
                limits=settings.limits,
                labels=stack.labels("gateway"),
                probe=Probe(["http-probe", str(INTERNAL_PORT), "/health"]),
                update=UpdatePolicy.STOP_FIRST,
                grace_seconds=30,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[configuration.loader, images]),
        )
        self.url = pulumi.Output.from_input(url_of(settings.address, settings.port))
        self.register_outputs({"url": self.url})
