"""What a stack's Prometheus knows: questions to it, and its answers as figures.

Source: https://prometheus.io/docs/prometheus/2.53/querying/api/
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from components.monitoring.scraping import PROMETHEUS_PORT
from ops.inside import AskingError, ask

if TYPE_CHECKING:
    from docker import APIClient

# A question over weeks reads much from disk.
SECONDS = 30.0


@dataclass(frozen=True)
class Series:
    """One series: its labels, and its figures as (seconds since 1970, value), the oldest first."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    @property
    def last(self) -> float | None:
        """Its newest figure."""
        return self.points[-1][1] if self.points else None


@dataclass(frozen=True)
class Prometheus:
    """Asks from inside the container of that name: nothing of Prometheus is published."""

    api: APIClient
    container: str

    def now(self, expression: str) -> list[Series]:
        """What an expression gives now. Raises AskingError."""
        return self._ask("query", {"query": expression})

    def trend(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """What it gave from `start` to `end`, every `step` seconds. Raises AskingError."""
        asked = {"query": expression, "start": f"{start:.0f}", "end": f"{end:.0f}", "step": f"{step:.0f}"}
        return self._ask("query_range", asked)

    def _ask(self, what: str, parameters: Mapping[str, str]) -> list[Series]:
        path = f"/api/v1/{what}?{urlencode(parameters)}"
        answer = ask(self.api, self.container, "localhost", PROMETHEUS_PORT, path, SECONDS)
        try:
            return read_series(json.loads(answer.text))
        except ValueError as error:
            raise AskingError("Prometheus answers with something else") from error


def read_series(document: Any) -> list[Series]:
    """The series in an answer. What is no number, as of a division by nothing, is left out.

    Raises AskingError with what Prometheus says against the question, or for another kind of document.
    """
    try:
        if document["status"] != "success":
            raise AskingError(f"Prometheus refuses: {str(document.get('error', ''))[:200]}")
        return [
            Series(found["metric"], _points(found["values"] if "values" in found else [found["value"]]))
            for found in document["data"]["result"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise AskingError("Prometheus answers with something else") from error


def _points(pairs: Any) -> list[tuple[float, float]]:
    return [(float(at), float(value)) for at, value in pairs if math.isfinite(float(value))]
