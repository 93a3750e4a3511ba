"""The secrets of the toolkit's own services."""

from __future__ import annotations

import pulumi

from components.configuration import team_secret
from components.settings import SERVICE_SECRETS
from components.stack import Stack
from components.stack_secret import StackSecret


def service_secret(stack: Stack, name: str, opts: pulumi.ResourceOptions | None = None) -> StackSecret:
    """Declare one of SERVICE_SECRETS: what the team has set, else made; of its generation in the settings."""
    return StackSecret(
        name,
        SERVICE_SECRETS[name],
        team_secret(name),
        generation=stack.settings.generation(name),
        opts=opts,
    )
