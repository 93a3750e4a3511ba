"""A free port for an environment: found and reserved without a gap in between."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from ops.env.lease import Lease
from ops.env.locks import Hold, ports_lock, reserved_ports
from ops.errors import ExitCode, OperationError

if TYPE_CHECKING:
    from docker import APIClient

    from components.settings import EnvironmentsSettings
    from ops.session import Session


def choose(
    name: str, first: int, last: int, taken: Collection[int], is_free: Callable[[int], bool]
) -> int | None:
    """The port for a name: always the same one, or the next free one. None where all are taken.

    Begins elsewhere for each name, so that users who do not see each other's reservations rarely meet.
    """
    count = last - first + 1
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % count
    for step in range(count):
        port = first + (start + step) % count
        if port not in taken and is_free(port):
            return port
    return None


def find_port(
    session: Session,
    api: APIClient,
    name: str,
    settings: EnvironmentsSettings,
    address: str,
    lease: Lease | None,
    hold: Hold,
) -> int:
    """The environment's port, reserved until its lease says so. Raises OperationError.

    It stays the one that it has, unless somebody else has taken that while it was stopped.
    """
    from ops.env.lease import read_leases
    from ops.preflight.facts import can_bind, gather_port, is_local
    from ops.preflight.verdicts import judge_port

    project, local = session.project.name, is_local(session.environment)
    with ports_lock(project):
        if lease and lease.port:
            facts = gather_port(api, address, lease.port, local)
            if not judge_port(facts, project, name):
                hold.reserve(lease.port)
                return lease.port
        # A stopped environment publishes nothing: its lease keeps the port. So do all projects' leases.
        taken = {
            *(held.port for held in read_leases(api, None)),
            *(item.get("PublicPort") for found in api.containers() for item in found.get("Ports") or ()),
            *reserved_ports(project),
            *declared_ports(session),
        }
        port = choose(
            f"{project}/{name}",
            settings.first_port,
            settings.last_port,
            {held for held in taken if held},
            lambda wanted: not local or can_bind(address, wanted),
        )
        if port is None:
            raise OperationError(
                f"every port from {settings.first_port} to {settings.last_port} is taken",
                "Remove environments that nobody needs (./medianest env list), or widen the range: "
                "medianest:environments: {first_port: …, last_port: …}",
                ExitCode.REFUSED,
            )
        hold.reserve(port)
        return port


def declared_ports(session: Session) -> set[int]:
    """Ports of this checkout's stacks, whether they run or not."""
    from ops.preflight.check import published_ports
    from ops.project import load_settings

    found: set[int] = set()
    for stack in session.project.stacks():
        try:
            settings = load_settings(session.project, stack)
            found |= {published.port for published in published_ports(settings).values()}
        except OperationError:
            # Somebody is at work on that file; it is not this environment's concern.
            continue
    return found
