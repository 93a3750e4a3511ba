"""Names of containers and resources, as people read them."""

from __future__ import annotations

import re


def short_name(container: str, project: str, stack: str) -> str:
    """The resource's name in a container's: medianest-staging-backend-0-3fa2c1 is backend-0.

    The form is that of `pulumi:autonaming` in Pulumi.yaml. Other names are left as they are.
    """
    match = re.fullmatch(rf"{re.escape(project)}-{re.escape(stack)}-(.+)-[0-9a-f]{{6}}", container)
    return match[1] if match else container


def resource_name(urn: str) -> str:
    """The name that the program gave a resource: the last part of its URN."""
    return urn.rsplit("::", 1)[-1]
