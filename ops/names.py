"""How resources are named, by people and by Pulumi, and what their inputs say of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Pulumi's names for the types of what a stack is made of.
CONTAINER = "docker:index/container:Container"
NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"
IMAGE = "docker:index/remoteImage:RemoteImage"
DYNAMIC = "pulumi-python:dynamic:Resource"


def short_name(container: str, project: str, stack: str) -> str:
    """The resource's name in a container's: medianest-staging-backend-0-3fa2c1 is backend-0.

    The form is that of `pulumi:autonaming` in Pulumi.yaml. Other names are left as they are.
    """
    match = re.fullmatch(rf"{re.escape(project)}-{re.escape(stack)}-(.+)-[0-9a-f]{{6}}", container)
    return match[1] if match else container


def resource_name(urn: str) -> str:
    """The name that the program gave a resource: the last part of its URN."""
    return urn.rsplit("::", 1)[-1]


def label_map(inputs: Mapping[str, Any]) -> dict[str, str]:
    """The labels of a resource's inputs."""
    return {
        str(item["label"]): str(item["value"])
        for item in inputs.get("labels") or ()
        if isinstance(item, dict) and "label" in item and "value" in item
    }


def must_run(inputs: Mapping[str, Any]) -> bool:
    """Whether a container of these inputs is one that runs: loaders never do."""
    return inputs.get("mustRun", True) is not False
