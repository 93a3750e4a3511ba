"""The services that the guardian looks after, and what each of them needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """`needs` are services without which it cannot get well; `replicated` that others serve beside it.

    `hung_seconds` is how long one that does not answer is given to stop; None for as long as it says itself.
    """

    needs: tuple[str, ...] = ()
    replicated: bool = False
    hung_seconds: int | None = None


# In the order in which they are healed: what others need comes first. Whatever is not here is left alone:
# helpers that live for one command, loaders of files, and the guardian itself, which the engine restarts.
SERVICES: Mapping[str, Service] = {
    "postgres": Service(),
    # Everything works without it, only slower: nothing needs it.
    "redis": Service(),
    "gateway": Service(hung_seconds=5),
    # The gateway has taken it out of use long before it counts as unhealthy.
    "backend": Service(needs=("postgres",), replicated=True, hung_seconds=2),
    "prometheus": Service(hung_seconds=5),
    "alertmanager": Service(hung_seconds=5),
    "postgres-exporter": Service(needs=("postgres",), hung_seconds=2),
    "redis-exporter": Service(needs=("redis",), hung_seconds=2),
    "node-exporter": Service(hung_seconds=2),
}
# Without any of these there is no stack to heal.
VITAL = ("gateway", "backend", "postgres", "redis")
