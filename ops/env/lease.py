"""Leases as the engine and the state have them: the labels of one volume of each environment."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components import labels
from ops.engine import Document, label_filter
from ops.env.duration import read_time
from ops.lock import this_host
from ops.names import resource_name

if TYPE_CHECKING:
    from docker import APIClient

    from ops.state import StackState


@dataclass(frozen=True)
class Lease:
    """Until when an environment may live. `expires` is None where its label cannot be read.

    `created` is the engine's time; None for a lease that only the state knows.
    """

    stack: str
    owner: str
    expires: datetime | None
    created: datetime | None
    home: str
    base: str
    port: int | None
    pull_request: int | None


def lease_of(own: Mapping[str, str], created: str = "") -> Lease:
    """The lease that labels tell of."""
    return Lease(
        stack=own.get(labels.STACK, ""),
        owner=own.get(labels.OWNER, ""),
        expires=read_time(own.get(labels.EXPIRES, "")),
        created=read_time(created),
        home=own.get(labels.HOME, ""),
        base=own.get(labels.BASE, ""),
        port=_number(own.get(labels.PORT)),
        pull_request=_number(own.get(labels.PULL_REQUEST)),
    )


def current(leases: Iterable[Lease]) -> list[Lease]:
    """One lease for each stack and owner, in a steady order.

    While one takes the place of another both are there. The later end counts: nothing goes too early.
    """
    found: dict[tuple[str, str], Lease] = {}
    for lease in leases:
        known = found.get((lease.stack, lease.owner))
        # One that cannot be read is never acted upon, so it does not lose to one that can.
        if known is None or (known.expires and (not lease.expires or lease.expires > known.expires)):
            found[(lease.stack, lease.owner)] = lease
    return [found[key] for key in sorted(found)]


def read_leases(api: APIClient, project: str | None, stack: str | None = None) -> list[Lease]:
    """The leases on the engine, of every owner; without a project of all of them."""
    wanted = label_filter(project, stack)
    wanted["label"].append(f"{labels.COMPONENT}={labels.LEASE}")
    listed: list[Document] = api.volumes(filters=wanted)["Volumes"] or []
    return current(lease_of(item["Labels"] or {}, item.get("CreatedAt") or "") for item in listed)


def lease_in(state: StackState | None) -> Lease | None:
    """The lease of a stack in the state; None for a stack that has none."""
    found = [
        lease_of({str(label["label"]): str(label["value"]) for label in resource["inputs"]["labels"]})
        for resource in (state.resources if state else ())
        if resource["type"].startswith("docker:")
        and resource_name(resource["urn"]) == labels.LEASE
        and "labels" in (resource.get("inputs") or {})
    ]
    return current(found)[0] if found else None


def home_of(environment: Mapping[str, str]) -> str:
    """What tells this state from others, for people to read: never a password of its address.

    A directory says little without whose and where it is.
    """
    url = environment["PULUMI_BACKEND_URL"]
    parts = urlsplit(url)
    if parts.scheme == "file":
        return f"{getpass.getuser()}@{this_host()}:{parts.path}"
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
