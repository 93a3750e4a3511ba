"""The proxy's server: admits a request, looks at the container, and passes the answer on."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from guardian.engine_proxy.rules import ENDLESS, Allowed, Kind, Ownership, RefusedError, admit

PORT = 2375
_KNOWN_CONTAINERS = 1000
_ANSWER_SECONDS = 60.0
# On top of the time that a restart gives the container to stop.
_LONGEST_RESTART_SECONDS = 1000.0
_PING_SECONDS, _MISSED_PINGS = 10.0, 3

log = logging.getLogger("engine-proxy")


class ForeignContainerError(Exception):
    """There is no such container, as far as whoever asks may know."""


class EngineProxy:
    """Passes requests to the engine that listens on `socket`."""

    def __init__(self, socket: str, ownership: Ownership) -> None:
        self._connector = aiohttp.UnixConnector(path=socket, limit=50)
        self._session = aiohttp.ClientSession(connector=self._connector)
        self._ownership = ownership
        # Ids are never used again, and the labels of a container never change.
        self._own: OrderedDict[str, None] = OrderedDict()

    async def close(self) -> None:
        await self._session.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        upgrade = "Upgrade" in request.headers or "upgrade" in request.headers.get("Connection", "").lower()
        try:
            allowed = admit(request.method, request.raw_path, self._ownership, upgrade=upgrade)
            if allowed.kind is Kind.INSPECT:
                return web.json_response(await self._inspected(allowed))
            if allowed.container is not None:
                await self._must_be_own(allowed.container)
            return await self._pass_on(request, allowed)
        except RefusedError as error:
            log.warning(
                "refused: %s", error, extra={"method": request.method, "path": request.raw_path[:200]}
            )
            return web.json_response({"message": f"refused: {error}"}, status=403)
        except ForeignContainerError:
            return web.json_response({"message": "No such container"}, status=404)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.error("the engine does not answer", extra={"error": type(error).__name__})
            return web.json_response({"message": "the engine does not answer"}, status=502)

    async def answers(self) -> bool:
        """Whether the engine answers."""
        try:
            async with self._session.get(_url("/_ping"), timeout=aiohttp.ClientTimeout(5)) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def wait_until_lost(self) -> None:
        """Returns when the engine has not answered for a while.

        An engine that was started anew listens on another socket, which this container has not
        mounted: it has to be started again, which its restart policy does when it ends.
        """
        missed = 0
        while missed < _MISSED_PINGS:
            await asyncio.sleep(_PING_SECONDS)
            missed = 0 if await self.answers() else missed + 1

    async def _inspected(self, allowed: Allowed) -> Mapping[str, Any]:
        """A container of the stack, without its environment."""
        timeout = aiohttp.ClientTimeout(_ANSWER_SECONDS)
        async with self._session.get(_url(allowed.target), timeout=timeout) as answer:
            if answer.status != 200:
                raise ForeignContainerError
            document: dict[str, Any] = json.loads(await answer.read())
        if not self._ownership.holds(document.get("Config", {}).get("Labels")):
            raise ForeignContainerError
        document["Config"].pop("Env", None)
        return document

    async def _must_be_own(self, container: str) -> None:
        if container in self._own:
            return
        await self._inspected(Allowed(Kind.INSPECT, "GET", f"/containers/{container}/json", container))
        self._own[container] = None
        while len(self._own) > _KNOWN_CONTAINERS:
            self._own.popitem(last=False)

    async def _pass_on(self, request: web.Request, allowed: Allowed) -> web.StreamResponse:
        """Neither header nor body of the request goes to the engine."""
        total = _LONGEST_RESTART_SECONDS if allowed.method == "POST" else _ANSWER_SECONDS
        timeout = aiohttp.ClientTimeout(total=None if allowed.kind in ENDLESS else total, sock_connect=5)
        async with self._session.request(allowed.method, _url(allowed.target), timeout=timeout) as answer:
            response = web.StreamResponse(status=answer.status)
            if "Content-Type" in answer.headers:
                response.content_type = answer.content_type
            await response.prepare(request)
            try:
                async for part in answer.content.iter_any():
                    await response.write(part)
                await response.write_eof()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                _cut_off(request, error)
            return response


def _cut_off(request: web.Request, error: Exception) -> None:
    """End a connection whose answer has begun: there is no second one to tell of a failure, and the
    part that was sent must not look like the whole."""
    if request.transport is None or request.transport.is_closing():
        # Whoever asked has gone.
        return
    log.error("the engine's answer broke off", extra={"error": type(error).__name__})
    request.transport.abort()


def _url(target: str) -> URL:
    return URL(f"http://engine{target}", encoded=True)


async def serve(socket: str, ownership: Ownership, port: int = PORT) -> int:
    """Serve until cancelled, or until the engine is lost. Returns the exit code."""
    proxy = EngineProxy(socket, ownership)
    application = web.Application(client_max_size=1024)
    application.router.add_route("*", "/{target:.*}", proxy.handle)
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - the container's own network
    log.info("listening", extra={"port": port, "stack": ownership.stack})
    try:
        await proxy.wait_until_lost()
        log.critical("the engine does not answer any more: ending, to be started with its socket anew")
        return 1
    finally:
        await runner.cleanup()
        await proxy.close()
