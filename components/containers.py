"""How a workload becomes containers on one Docker engine.

The only place that knows of `docker.Container`: other engines get a module beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.process_limit import ProcessLimit
from components.workload import Probe, UpdatePolicy, Workload

LOG_DRIVER = "json-file"
LOG_ROTATION = {"max-size": "10m", "max-file": "3"}


def run_workload(
    name: str,
    workload: Workload,
    opts: pulumi.ResourceOptions,
) -> list[docker.Container]:
    """Declare the containers of a workload, hardened and limited.

    Each is waited for until it is healthy. `name` is the resource's name; with several replicas it
    gets a number. Returns the containers in the replicas' order.
    """
    create_first = workload.update is UpdatePolicy.CREATE_FIRST
    own = pulumi.ResourceOptions(
        delete_before_replace=not create_first,
        # The provider takes another mount for an update, and does nothing: no container can change it.
        replace_on_changes=["mounts"],
    )
    containers = []
    for number in range(workload.replicas):
        container = docker.Container(
            f"{name}-{number}" if create_first else name,
            _arguments(workload),
            pulumi.ResourceOptions.merge(opts, own),
        )
        ProcessLimit(
            f"{name}-{number}-processes" if create_first else f"{name}-processes",
            container=container.id,
            limit=workload.limits.pids,
            opts=pulumi.ResourceOptions(parent=container),
        )
        containers.append(container)
    return containers


def _arguments(workload: Workload) -> docker.ContainerArgs:
    limits = workload.limits
    return docker.ContainerArgs(
        image=workload.image,
        command=list(workload.command) if workload.command else None,
        user=workload.user,
        envs=[pulumi.Output.concat(key, "=", value) for key, value in sorted(workload.environment.items())],
        labels=container_labels(workload.labels),
        mounts=[
            docker.ContainerMountArgs(
                type="volume", source=mount.volume, target=mount.path, read_only=mount.read_only
            )
            for mount in workload.mounts
        ]
        + [
            docker.ContainerMountArgs(
                type="bind", source=mount.source, target=mount.path, read_only=mount.read_only
            )
            for mount in workload.host_mounts
        ],
        group_adds=[str(group) for group in workload.groups] or None,
        tmpfs=dict(workload.tmpfs) or None,
        networks_advanced=[
            docker.ContainerNetworksAdvancedArgs(name=network.network, aliases=sorted(network.aliases))
            for network in workload.networks
        ],
        ports=[
            docker.ContainerPortArgs(
                internal=workload.published.target,
                external=workload.published.port,
                ip=workload.published.address,
            )
        ]
        if workload.published
        else None,
        # The engine gives as much swap again as memory unless both are the same.
        memory=limits.memory_mb,
        memory_swap=limits.memory_mb,
        cpus=decimal(limits.cpus),
        read_only=True,
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
        security_opts=["no-new-privileges:true"],
        init=True,
        restart="unless-stopped",
        log_driver=LOG_DRIVER,
        log_opts=LOG_ROTATION,
        healthcheck=_health_check(workload.probe),
        wait=True,
        wait_timeout=workload.start_seconds,
        destroy_grace_seconds=workload.grace_seconds,
        stop_timeout=workload.grace_seconds,
    )


def _health_check(probe: Probe) -> docker.ContainerHealthcheckArgs:
    return docker.ContainerHealthcheckArgs(
        tests=["CMD", *probe.command],
        interval=duration(probe.interval),
        timeout=duration(probe.timeout),
        retries=probe.retries,
        start_period=duration(probe.start_period),
    )


def duration(seconds: float) -> str:
    """Seconds in the form in which the engine's API gives a duration back: 2s, 1m30s, 500ms.

    Any other form of the same duration would show as a difference on the next run.
    Source: https://pkg.go.dev/time#Duration.String
    """
    milliseconds = round(seconds * 1000)
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def decimal(number: float) -> str:
    """A number of processor cores in the form in which the provider reads it back: 1.0, 0.5, 12.

    Source: nanoInt64ToDecimalString in kreuzwerker/terraform-provider-docker.
    """
    text = f"{number:.9f}"
    return f"{number:.1f}" if text.count("0") == 9 else text.rstrip("0")


@dataclass(frozen=True)
class UploadedFile:
    """A file that is written into a volume. `mode` is octal text, `owner` a numeric user id."""

    path: str
    content: str
    owner: str
    mode: str


def load_files(
    name: str,
    *,
    image: pulumi.Input[str],
    volume: pulumi.Input[str],
    directory: str,
    files: pulumi.Input[Sequence[UploadedFile]],
    labels: Mapping[str, pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
) -> docker.Container:
    """Write files into a volume, through a container that is never started.

    The engine refuses uploads into a container with a read-only root file system, even below a
    volume, so a container of its own takes them and no process ever runs in it.
    """
    return docker.Container(
        name,
        docker.ContainerArgs(
            image=image,
            command=["true"],
            start=False,
            must_run=False,
            network_mode="none",
            log_driver=LOG_DRIVER,
            log_opts=LOG_ROTATION,
            labels=container_labels(labels),
            mounts=[docker.ContainerMountArgs(type="volume", source=volume, target=directory)],
            uploads=pulumi.Output.from_input(files).apply(lambda given: [_upload(file) for file in given]),
        ),
        pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(delete_before_replace=True)),
    )


def _upload(file: UploadedFile) -> docker.ContainerUploadArgs:
    return docker.ContainerUploadArgs(
        file=file.path, content=file.content, owner=file.owner, group=file.owner, permissions=file.mode
    )


def container_labels(labels: Mapping[str, pulumi.Input[str]]) -> list[docker.ContainerLabelArgs]:
    """Labels in a steady order, so that the same ones are the same to the engine."""
    return [docker.ContainerLabelArgs(label=key, value=value) for key, value in sorted(labels.items())]


def volume_labels(labels: Mapping[str, pulumi.Input[str]]) -> list[docker.VolumeLabelArgs]:
    """The same for a volume."""
    return [docker.VolumeLabelArgs(label=key, value=value) for key, value in sorted(labels.items())]


def network_labels(labels: Mapping[str, pulumi.Input[str]]) -> list[docker.NetworkLabelArgs]:
    """The same for a network."""
    return [docker.NetworkLabelArgs(label=key, value=value) for key, value in sorted(labels.items())]
