"""Declares the images that tests run: those of the services, and the backend's test stage."""

from __future__ import annotations

from pathlib import Path

import pulumi

import components
from components.images import BackendImage, ServiceImage
from components.settings import BackendSettings, BuildSettings, StackSettings
from components.stack import Stack

stack = Stack(
    pulumi.get_project(),
    pulumi.get_stack(),
    Path(components.__file__).parents[1],
    StackSettings(backend=BackendSettings(build=BuildSettings(target="test"))),
    pulumi.Output.from_input("tests"),
)
for service in ("postgres", "redis", "gateway", "prometheus", "alertmanager", "exporters"):
    pulumi.export(service, ServiceImage(stack, service, None).id)
pulumi.export("guardian", ServiceImage(stack, "guardian", None, context="guardian").id)
pulumi.export("app", BackendImage(stack).id)
