"""Configuration as files in a volume of its own, which its consumer follows without a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.build_context import base_image
from components.containers import UploadedFile, load_files, volume_labels
from components.stack import Stack
from components.workload import Mount


@dataclass(frozen=True)
class ConfigurationFiles:
    """Where they are mounted, and what a consumer depends on, so that they are there before it starts."""

    mount: Mount
    loader: docker.Container


def configuration_files(
    stack: Stack,
    consumer: str,
    directory: str,
    files: pulumi.Input[Mapping[str, str]],
    *,
    user: str,
    opts: pulumi.ResourceOptions,
) -> ConfigurationFiles:
    """Declare a volume with the files of one consumer, by name. They are replaced in place."""
    name = f"{consumer}-configuration"
    volume = docker.Volume(name, docker.VolumeArgs(labels=volume_labels(stack.labels(consumer))), opts).name
    loader = load_files(
        f"{name}-loader",
        image=base_image(stack.root),
        volume=volume,
        directory=directory,
        files=pulumi.Output.from_input(files).apply(
            lambda given: [
                UploadedFile(f"{directory}/{file}", content, owner=user, mode="0444")
                for file, content in given.items()
            ]
        ),
        labels=stack.labels(name),
        opts=opts,
    )
    return ConfigurationFiles(Mount(volume, directory, read_only=True), loader)
