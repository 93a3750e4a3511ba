"""The outermost layer: gives every request an id, counts it, and writes its line in the log.

One layer and not three, since each costs every request a wrapped `send`.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medianest import logs
from medianest.health import PATHS
from medianest.lifecycle import Lifecycle
from medianest.problems import problem
from medianest.request_figures import RequestFigures
from medianest.routes import UNMATCHED, RouteTable

_ACCEPTABLE_ID = re.compile(rb"^[A-Za-z0-9._-]{1,64}$")
# Nobody reads the answer. Not a status of HTTP; nginx made it a habit.
_CANCELLED = 499


class RequestLog:
    """Answers HTTP alone: uvicorn is told to know neither web sockets nor lifespan events.

    Takes `X-Request-ID` from the request where it is sound, and returns it.

    Health probes come every second and are not logged. While draining every answer closes its
    connection, so that the gateway opens the next one elsewhere. Beyond `most` requests at once, more
    are sent away with a 503, health probes aside, so that memory has a bound.

    HEAD is answered like GET (RFC 9110, section 9.3.2 asks for the same header); uvicorn leaves the
    body out.
    """

    def __init__(
        self,
        app: ASGIApp,
        table: RouteTable,
        lifecycle: Lifecycle,
        figures: RequestFigures,
        *,
        most: int = 1000,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._table = table
        self._lifecycle = lifecycle
        self._figures = figures
        self._most = most
        self._clock = clock
        self._log = structlog.get_logger(component="requests")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = self._clock()
        status = 500
        method, path = scope["method"], scope["path"]
        if method == "HEAD":
            scope = {**scope, "method": "GET"}
        request_id = scope["request_id"] = request_id_of(scope)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
                if self._lifecycle.draining:
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        context = logs.REQUEST_ID.set(request_id)
        self._figures.in_flight += 1
        try:
            if self._figures.in_flight > self._most and path not in PATHS:
                busy = problem(scope, 503, "Too many requests at once", {"Retry-After": "1"})
                await busy(scope, receive, send_with_id)
            else:
                await self._app(scope, receive, send_with_id)
        except asyncio.CancelledError:
            status = _CANCELLED
            raise
        except Exception:
            # Answered already, with a problem; what is left is to tell of it, once.
            self._log.exception("Unexpected error", method=method, path=self._table.loggable(path))
        finally:
            seconds = self._clock() - started
            route = scope.get("route")
            self._figures.in_flight -= 1
            self._figures.count(UNMATCHED if route is None else route.path, method, status, seconds)
            if path not in PATHS:
                self._log.info(
                    "Request",
                    method=method,
                    path=self._table.loggable(path),
                    status=status,
                    milliseconds=round(seconds * 1000, 1),
                )
            logs.REQUEST_ID.reset(context)


def request_id_of(scope: Scope) -> str:
    """The caller's id, or a new one where there is none or it could do harm in a log."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ACCEPTABLE_ID.match(value):
            return str(value, "ascii")
    return os.urandom(16).hex()
