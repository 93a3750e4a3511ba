"""The engine's documents of what is on record, each asked for once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ops.drift.container import condition
from ops.drift.images import inspected
from ops.drift.record import Recorded
from ops.engine import Document
from ops.names import CONTAINER

if TYPE_CHECKING:
    from docker import APIClient


class EngineDocuments:
    """`containers` are the recorded ones by URN; `lookalikes` stand under the name of one that is gone."""

    def __init__(self, api: APIClient, record: Iterable[Recorded]) -> None:
        self.api = api
        self._images: dict[str, Document | None] = {}
        self.containers: dict[str, Document] = {}
        self.lookalikes: dict[str, Document] = {}
        for recorded in record:
            if recorded.type != CONTAINER:
                continue
            if (found := self._ask(api.inspect_container, recorded.id)) is not None:
                self.containers[recorded.urn] = found
            elif (found := self._ask(api.inspect_container, recorded.live_name)) is not None:
                self.lookalikes[recorded.urn] = found

    def serving(self, recorded: Recorded) -> bool:
        """Whether it, or what has taken its place, runs."""
        found = self.containers.get(recorded.urn) or self.lookalikes.get(recorded.urn)
        return found is not None and condition(found) == "running"

    def image(self, reference: str) -> Document | None:
        if reference not in self._images:
            self._images[reference] = inspected(self.api, reference)
        return self._images[reference]

    def network(self, reference: str) -> Document | None:
        return self._ask(self.api.inspect_network, reference)

    def volume(self, name: str) -> Document | None:
        return self._ask(self.api.inspect_volume, name)

    @staticmethod
    def _ask(inspect: Callable[[str], Any], reference: str) -> Document | None:
        from docker.errors import NotFound

        try:
            found: Document = inspect(reference)
        except NotFound:
            return None
        return found
