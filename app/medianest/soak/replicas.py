"""What each replica of the backend tells at `/metrics`, which the gateway does not let through."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from medianest.soak.http_client import Client, NoAnswerError
from medianest.soak.protocol import CannotRunError
from medianest.soak.target import Target

PATH = "/metrics"


class Metrics:
    """One reading of one replica. Source of the form:
    https://prometheus.io/docs/instrumenting/exposition_formats/
    """

    def __init__(self, text: str) -> None:
        self._samples = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    def total(self, name: str, **labels: str) -> float | None:
        """The sum of the samples with these labels; None when there is none."""
        found = [
            sample.value
            for sample in self._samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None

    def value(self, name: str, what: str, **labels: str) -> float:
        """The same, where it has to be there. Raises CannotRunError that says `what` is not told."""
        found = self.total(name, **labels)
        if found is None:
            raise CannotRunError(f"the backend tells no {what}: {PATH} has no {name}")
        return found


class Replicas:
    """Every container that the backends' name stands for at the moment."""

    def __init__(self, target: Target) -> None:
        self._host = target.backend_host
        self._port = target.backend_port
        self._clients: dict[str, Client] = {}

    async def read(self) -> dict[str, Metrics]:
        """By address, without those that do not answer. Raises CannotRunError where there is no
        such page."""
        addresses = await self._addresses()
        for gone in self._clients.keys() - addresses:
            await self._clients.pop(gone).close()
        for new in addresses - self._clients.keys():
            self._clients[new] = Client(new, self._port, patience=5)
        read = await asyncio.gather(*(self._read(client) for client in self._clients.values()))
        found: Mapping[str, Metrics | None] = dict(zip(self._clients, read, strict=True))
        return {address: metrics for address, metrics in found.items() if metrics is not None}

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()

    async def _addresses(self) -> set[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                self._host, self._port, family=socket.AF_INET, type=socket.SOCK_STREAM
            )
        except socket.gaierror:
            return set()
        return {str(address[0]) for *_, address in found}

    async def _read(self, client: Client) -> Metrics | None:
        try:
            answer = await client.request("GET", PATH)
        except NoAnswerError:
            return None
        if answer.status != 200:
            raise CannotRunError(f"the backend tells no metrics: {PATH} answers {answer.status}")
        return Metrics(answer.body.decode())
