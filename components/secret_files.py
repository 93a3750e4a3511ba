"""Secrets as files in /run/secrets: in no environment, argument, layer, label or log."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from components.build_context import base_image
from components.containers import UploadedFile, load_files, volume_labels
from components.settings import SECRETS_DIRECTORY
from components.stack import Stack
from components.workload import Mount

VERSION_LABEL = "medianest.secrets"


class SecretFiles(pulumi.ComponentResource):
    """A volume with the secret files of one consumer, readable by its user alone.

    With a `version` every change of it makes a new volume, so that its consumer is replaced by one
    that has the new files while the old one still reads the old. Without one the files are replaced
    in place, and one that is no longer given stays: where that can be, `names_of` is the version.
    Files with empty content are left out. A consumer depends on this component, so that the files are
    there before it starts.
    """

    mount: Mount

    def __init__(
        self,
        stack: Stack,
        consumer: str,
        files: Mapping[str, pulumi.Output[str]],
        *,
        user: str,
        version: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("medianest:index:SecretFiles", f"{consumer}-secrets", {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = stack.labels(f"{consumer}-secrets")
        if version is not None:
            labels |= {VERSION_LABEL: version}
        volume = docker.Volume(
            f"{consumer}-secrets",
            docker.VolumeArgs(labels=volume_labels(labels)),
            child,
        )
        load_files(
            f"{consumer}-secrets-loader",
            image=base_image(stack.root),
            volume=volume.name,
            directory=SECRETS_DIRECTORY,
            files=pulumi.Output.secret(
                pulumi.Output.all(**files).apply(
                    lambda contents: [
                        UploadedFile(f"{SECRETS_DIRECTORY}/{name}", content, owner=user, mode="0400")
                        for name, content in sorted(contents.items())
                        if content
                    ]
                )
            ),
            labels=labels,
            opts=child,
        )
        self.mount = Mount(volume.name, SECRETS_DIRECTORY, read_only=True)
        self.register_outputs({})


def names_of(files: Mapping[str, pulumi.Output[str]]) -> str:
    """A version that changes with the names of the files, and not with what is in them."""
    return " ".join(sorted(files))
