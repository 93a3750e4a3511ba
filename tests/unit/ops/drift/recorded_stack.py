"""Documents that were recorded from a deployed stack: of the state, of an image, and of the engine."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.drift.container import Properties, live_properties, recorded_properties
from ops.drift.record import Recorded, plain

RECORDED = Path(__file__).parent / "recorded"


@dataclass(frozen=True)
class Documents:
    """One container: what is on record, its image, and what the engine tells."""

    recorded: Recorded
    image: dict[str, Any]
    inspected: dict[str, Any]

    def changed(self, path: str, value: Any) -> Documents:
        """The same with another value at a path of the engine's document: HostConfig/Memory."""
        inspected = copy.deepcopy(self.inspected)
        *parents, last = path.split("/")
        place = inspected
        for name in parents:
            place = place[name]
        place[last] = value
        return Documents(self.recorded, self.image, inspected)

    def asked(self) -> Properties:
        return recorded_properties(self.recorded.inputs, self.image, 200 if self.recorded.runs else None)

    def found(self) -> Properties:
        return live_properties(self.inspected, self.image, with_processes=self.recorded.runs)


def documents(name: str) -> Documents:
    """Those of `gateway`, `redis` or `loader`."""
    read = json.loads((RECORDED / f"{name}.json").read_text())
    inputs, secret = plain(read["inputs"])
    recorded = Recorded(read["urn"], read["type"], read["id"], inputs, {}, frozenset(secret))
    return Documents(recorded, read["image"], read["inspected"])
