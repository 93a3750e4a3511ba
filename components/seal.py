"""The seal on a stack's data: it stands in the way of a plain `pulumi destroy`, before anything is gone.

Pulumi deletes what depends on others first, and stops at the first thing that is protected. Protected
volumes alone would come last: every container, and every secret that the data needs, would be gone by
then. The seal depends on everything, so Pulumi begins with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class _SealProvider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_="seal", outs=props)


class Seal(Resource):
    """Depends on all of a stack's parts. `protected` is the stack's setting `data.protected`."""

    def __init__(self, name: str, parts: Sequence[pulumi.Resource], *, protected: bool) -> None:
        opts = pulumi.ResourceOptions(depends_on=list(parts), protect=protected)
        super().__init__(_SealProvider(), name, {}, opts)
