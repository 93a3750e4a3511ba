"""Asks Prometheus. Source: https://prometheus.io/docs/prometheus/2.53/querying/api/"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
        if not self.url:
            raise PrometheusError("there is no Prometheus")
        timeout = aiohttp.ClientTimeout(total=_SECONDS, sock_connect=1)
        try:
            address = f"{self.url}/api/v1/query"
            async with self.session.post(address, data={"query": expression}, timeout=timeout) as answer:
                document = json.loads(await answer.read())
            if document["status"] != "success":
                raise PrometheusError(str(document.get("error", "it refuses the query"))[:200])
            return [
                {"labels": series["metric"], "value": series["value"][1]}
                for series in document["data"]["result"]
            ]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise PrometheusError(f"Prometheus does not answer: {type(error).__name__}") from error
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise PrometheusError("Prometheus answers with something else") from error
