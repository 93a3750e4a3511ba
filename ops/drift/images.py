"""Images on record, and the names that others may have moved to another one.

Images that stacks share are named by their content. Built anew for another stack, when the builder's
cache is gone, such a name comes to be on an equal image with another id. What runs is not concerned, but
Pulumi, when it looks, takes that for a change, and would replace Postgres, Redis and the gateway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from components import labels
from ops.names import IMAGE

if TYPE_CHECKING:
    from docker import APIClient

    from ops.drift.record import Inputs
    from ops.engine import Document


def is_shared(inputs: Inputs) -> bool:
    """Whether other stacks use it too: such images carry no stack's label."""
    return labels.STACK not in ((inputs.get("build") or {}).get("label") or {})


def inspected(api: APIClient, reference: str) -> Document | None:
    """The engine's document of an image; None where it has none of that name or id."""
    from docker.errors import ImageNotFound

    try:
        found: Document = api.inspect_image(reference)  # type: ignore[no-untyped-call]
    except ImageNotFound:
        return None
    return found


def name_again(api: APIClient, identity: str, name: str) -> None:
    """Put a name back on the image that it was on."""
    repository, _, tag = name.rpartition(":")
    api.tag(identity, repository, tag, force=True)


def hold_names(api: APIClient, resources: Iterable[Mapping[str, Any]]) -> None:
    """Before Pulumi looks: put the names of a state's images back on those that its containers are of."""
    for resource in resources:
        identity = str((resource.get("outputs") or {}).get("imageId", ""))
        # A name that was pulled belongs to those who publish it.
        if resource["type"] != IMAGE or not identity or not resource["inputs"].get("build"):
            continue
        name = str(resource["inputs"]["name"])
        found = inspected(api, name)
        if found is not None and found["Id"] != identity and inspected(api, identity) is not None:
            name_again(api, identity, name)
