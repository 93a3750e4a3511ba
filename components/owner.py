"""Whose stack it is: an id that the state which makes a stack draws once.

Its making refuses a stack of the same name that is there already, made by another state or by one
that was lost: nothing is adopted, nothing is overwritten.
"""

from __future__ import annotations

import secrets
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

from components import labels


class _OwnerProvider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        found = _resources_of(props["project"], props["stack"])
        if found:
            raise RuntimeError(
                f"stack {props['stack']} is on this engine already, but this state did not make it: "
                f"{', '.join(sorted(found)[:5])}{' …' if len(found) > 5 else ''}. "
                "Use the state that made it (PULUMI_BACKEND_URL), choose another stack name, or, if it "
                "is not needed, remove what carries its labels."
            )
        return CreateResult(id_=f"{props['project']}-{props['stack']}", outs={"owner": secrets.token_hex(6)})


class StackOwner(Resource):
    """The owner's id as the output `owner`: 12 hexadecimal digits, constant for the stack's life."""

    owner: pulumi.Output[str]

    def __init__(
        self, name: str, project: str, stack: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(_OwnerProvider(), name, {"project": project, "stack": stack, "owner": None}, opts)


def _resources_of(project: str, stack: str) -> list[str]:
    import docker

    wanted: dict[str, str | list[str] | bool] = {
        "label": [f"{labels.PROJECT}={project}", f"{labels.STACK}={stack}"]
    }
    engine = docker.from_env()
    try:
        return [
            *(
                f"container {item.name}"
                for item in engine.containers.list(all=True, ignore_removed=True, filters=wanted)
            ),
            *(f"volume {item.name}" for item in engine.volumes.list(filters=wanted)),
            *(f"network {item.name}" for item in engine.networks.list(filters=wanted)),
        ]
    finally:
        engine.close()
