"""The accounts that the exporters ask Postgres and Redis with: allowed to look, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.service_secret import service_secret
from components.stack import Stack
from components.stack_secret import StackSecret


@dataclass(frozen=True)
class MonitoringAccount:
    """An account of one service. As those of backends it comes in two, which take turns with a rotation."""

    name: pulumi.Output[str]
    secret: StackSecret


def monitoring_account(
    stack: Stack, service: str, prefix: str, opts: pulumi.ResourceOptions
) -> MonitoringAccount | None:
    """The account `prefix`_a or `prefix`_b of `service`; None where the stack is not watched."""
    if not stack.settings.monitoring.enabled:
        return None
    secret = service_secret(stack, f"{service}_monitoring_password", opts)
    return MonitoringAccount(secret.slot.apply(lambda slot: f"{prefix}_{slot}"), secret)
