"""Asks Prometheus. Source: https://prometheus.io/docs/prometheus/2.53/querying/api/"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

_SECONDS = 3.0


class PrometheusError(Exception):
    """It does not answer, or not with figures."""


@dataclass(frozen=True)
class Prometheus:
    """`url` is empty where there is none."""

    url: str
    session: aiohttp.ClientSession

    async def query(self, expression: str) -> Sequence[Mapping[str, Any]]:
        """The series that an expression gives now: labels and value. Raises PrometheusError."""
        found = await self._ask("query", {"query": expression})
        with _as_expected():
            return [{"labels": series["metric"], "value": series["value"][1]} for series in found["result"]]

    async def line(self, expression: str, since: float, until: float, step: float) -> Mapping[float, float]:
        """What an expression of one series, or none, was over a time: value by moment, where there is one.
        Raises PrometheusError."""
        moments = {"start": f"{since:.3f}", "end": f"{until:.3f}", "step": f"{step:g}"}
        found = await self._ask("query_range", {"query": expression, **moments})
        with _as_expected():
            values = found["result"][0]["values"] if found["result"] else []
            return {float(at): float(value) for at, value in values}

    async def alerts(self) -> Sequence[Mapping[str, Any]]:
        """The alerts that are pending or fire: labels, annotations, state, activeAt. Raises
        PrometheusError."""
        found = await self._ask("alerts", None)
        with _as_expected():
            return [dict(alert) for alert in found["alerts"]]

    async def _ask(self, path: str, form: Mapping[str, str] | None) -> Any:
        if not self.url:
            raise PrometheusError("there is no Prometheus")
        timeout = aiohttp.ClientTimeout(total=_SECONDS, sock_connect=1)
        method, address = "GET" if form is None else "POST", f"{self.url}/api/v1/{path}"
        try:
            async with self.session.request(method, address, data=form, timeout=timeout) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise PrometheusError(f"Prometheus does not answer: {type(error).__name__}") from error
        with _as_expected():
            document = json.loads(text)
            if document["status"] != "success":
                raise PrometheusError(str(document.get("error", "it refuses the query"))[:200])
            return document["data"]


@contextmanager
def _as_expected() -> Iterator[None]:
    """Turns what goes wrong with an answer of another form into a PrometheusError."""
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise PrometheusError("Prometheus answers with something else") from error
