"""Gives every request an id and a line in the log."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medianest.health import PATHS
from medianest.lifecycle import Lifecycle

_ACCEPTABLE_ID = re.compile(rb"^[A-Za-z0-9._-]{1,64}$")


class RequestLog:
    """The outermost layer. Takes `X-Request-ID` from the request where it is sound, and returns it.

    Health probes come every second and are not logged. While draining every answer closes its
    connection, so that the gateway opens the next one elsewhere.
    """

    def __init__(
        self, app: ASGIApp, lifecycle: Lifecycle, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._app = app
        self._lifecycle = lifecycle
        self._clock = clock
        self._log = structlog.get_logger(component="requests")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._clock()
        status = 500
        request_id = scope["request_id"] = request_id_of(scope)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
                if self._lifecycle.draining:
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except Exception:
                # Answered already, with a problem; what is left is to tell of it, once.
                self._log.exception("Unexpected error", method=scope["method"], path=scope["path"])
            if scope["path"] not in PATHS:
                self._log.info(
                    "Request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    milliseconds=round((self._clock() - started) * 1000, 1),
                )


def request_id_of(scope: Scope) -> str:
    """The caller's id, or a new one where there is none or it could do harm in a log."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ACCEPTABLE_ID.match(value):
            return str(value, "ascii")
    return uuid.uuid4().hex
