"""Asks the engine, by way of the proxy."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from guardian.engine.containers import Document, seconds
from guardian.labels import COMPONENT, SINCE

_SECONDS = 20.0
_LARGEST_EVENT = 1024 * 1024


class EngineError(Exception):
    """The engine does not answer, or not as it should."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a container. `action` is the engine's word; `at` since 1970."""

    at: float
    action: str
    id: str
    container: str
    component: str
    exit_code: int | None = None


class EngineClient:
    """Every method raises EngineError."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url.rstrip("/")
        self._session = session

    async def listed(self) -> Sequence[Document]:
        """The stack's containers, running or not, as the engine lists them."""
        found: Sequence[Document] = await self._json("/containers/json?all=1")
        return found

    async def inspect(self, identifier: str) -> Document:
        """One container's document, without its environment."""
        found: Document = await self._json(f"/containers/{identifier}/json")
        return found

    async def stats(self, identifier: str) -> Document:
        """What a container uses at this moment."""
        found: Document = await self._json(f"/containers/{identifier}/stats?stream=false&one-shot=true")
        return found

    async def log(self, identifier: str, lines: int) -> str:
        """The last lines that a container wrote."""
        data = await self._ask(
            "GET", f"/containers/{identifier}/logs?stdout=1&stderr=1&timestamps=1&tail={lines}"
        )
        return unframed(data).decode(errors="replace")

    async def deploys(self) -> Sequence[float]:
        """Since when updates are under way, as their marks say."""
        found = await self._json("/volumes")
        volumes = found.get("Volumes") or ()
        return [moment(volume) for volume in volumes]

    async def restart(self, identifier: str, stop_seconds: int) -> None:
        """Stop a container, by force after so many seconds, and start it."""
        await self._ask("POST", f"/containers/{identifier}/restart?t={stop_seconds}", stop_seconds + 60)

    async def start(self, identifier: str) -> None:
        """Start a container that does not run."""
        await self._ask("POST", f"/containers/{identifier}/start", 60)

    async def events(self, since: float) -> AsyncIterator[Event]:
        """What happens, from a moment on, for as long as the connection holds."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        url = f"{self._url}/events?since={since:.6f}"
        try:
            async with self._session.get(url, timeout=timeout, read_bufsize=_LARGEST_EVENT) as answer:
                if answer.status != 200:
                    raise EngineError(f"events: status {answer.status}")
                async for line in answer.content:
                    yield event(json.loads(line))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError) as error:
            raise EngineError(f"events: {type(error).__name__}") from error

    async def _json(self, path: str) -> Any:
        try:
            return json.loads(await self._ask("GET", path))
        except ValueError:
            raise EngineError(f"GET {path.partition('?')[0]}: the answer is not JSON") from None

    async def _ask(self, method: str, path: str, total: float = _SECONDS) -> bytes:
        timeout = aiohttp.ClientTimeout(total=total, sock_connect=5)
        try:
            async with self._session.request(method, self._url + path, timeout=timeout) as answer:
                body = await answer.read()
                # 304: it runs already.
                if answer.status >= 400:
                    said = body.decode(errors="replace")[:200]
                    raise EngineError(f"{method} {path.partition('?')[0]}: {answer.status} {said}")
                return body
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EngineError(f"{method} {path.partition('?')[0]}: {type(error).__name__}") from error


def event(document: Document) -> Event:
    """An event as the engine sends it."""
    actor = document["Actor"]
    attributes = actor.get("Attributes") or {}
    code = attributes.get("exitCode", "")
    return Event(
        at=document.get("timeNano", document.get("time", 0) * 1e9) / 1e9,
        action=document["Action"],
        id=actor["ID"],
        container=attributes.get("name", ""),
        component=attributes.get(COMPONENT, ""),
        exit_code=int(code) if re.fullmatch(r"-?\d+", code) else None,
    )


def moment(volume: Document) -> float:
    """Since when a mark is there: what it says itself, or when it was made."""
    said = str((volume.get("Labels") or {}).get(SINCE, ""))
    return float(said) if re.fullmatch(r"\d+(\.\d+)?", said) else seconds(volume.get("CreatedAt", ""))


def unframed(data: bytes) -> bytes:
    """A log without the headers of its frames (docs.docker.com/reference/api/engine/, "attach")."""
    parts = []
    while len(data) >= 8 and data[0] in (0, 1, 2) and data[1:4] == b"\0\0\0":
        size = int.from_bytes(data[4:8], "big")
        parts.append(data[8 : 8 + size])
        data = data[8 + size :]
    return b"".join(parts) + data
