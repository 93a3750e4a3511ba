"""What the guardian asks of each replica of the backend, inside the stack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from guardian.engine.containers import Container
from guardian.settings import Settings, secret

_QUICK_SECONDS = 1.5
# Workers are replaced one after the other, each when its task is done.
_WORKERS_SECONDS = 300.0
_LARGEST_ANSWER = 2 * 1024 * 1024


class BackendError(Exception):
    """A replica does not answer, or says no. The message never holds the token."""


@dataclass(frozen=True)
class Backends:
    """Asks with the token of the stack."""

    session: aiohttp.ClientSession
    settings: Settings

    async def lacks(self, container: Container) -> list[str]:
        """Services that a replica's health document says it cannot reach; none where it says nothing."""
        try:
            services = (await self.report(container)).get("services")
        except BackendError:
            return []
        if not isinstance(services, Mapping):
            return []
        return sorted(name for name, word in services.items() if word == "unhealthy")

    async def report(self, container: Container) -> Mapping[str, Any]:
        """Its health document, with what only the bearer of the token sees. Raises BackendError."""
        text = await self._ask("GET", container, self.settings.report, _QUICK_SECONDS, unwell=True)
        try:
            document = json.loads(text)
        except ValueError:
            raise BackendError("its health document is not JSON") from None
        if not isinstance(document, Mapping):
            raise BackendError("its health document is not an object")
        return document

    async def metrics(self, container: Container) -> str:
        """Its figures, as Prometheus reads them. Raises BackendError."""
        return await self._ask("GET", container, self.settings.metrics, _QUICK_SECONDS)

    async def stacks(self, container: Container) -> str:
        """What all its threads and tasks are at. Raises BackendError."""
        return await self._ask("GET", container, self.settings.stack_dump, _QUICK_SECONDS)

    async def restart_workers(self, container: Container) -> None:
        """Have its worker processes replaced. Raises BackendError."""
        await self._ask("POST", container, self.settings.restart_workers, _WORKERS_SECONDS)

    async def _ask(
        self, method: str, container: Container, path: str, seconds: float, *, unwell: bool = False
    ) -> str:
        if not path:
            raise BackendError("the backend has no such path (setting backend.healing)")
        address = container.addresses.get(self.settings.network)
        if address is None:
            raise BackendError(f"{container.name} has no address on the network {self.settings.network}")
        url = f"http://{address}:{self.settings.backend_port}{path}"
        headers = {"Authorization": f"Bearer {secret(self.settings.token_file)}"}
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, 1.0))
        try:
            async with self.session.request(method, url, headers=headers, timeout=timeout) as answer:
                text = (await _start_of(answer)).decode(errors="replace")
                if answer.status < 400 or (unwell and answer.status == 503):
                    return text
                raise BackendError(f"{path} answered {answer.status}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise BackendError(f"{path}: {type(error).__name__}") from error


async def _start_of(answer: aiohttp.ClientResponse) -> bytes:
    """As much of an answer as is of use."""
    parts, size = [], 0
    async for part in answer.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > _LARGEST_ANSWER:
            break
    return b"".join(parts)
