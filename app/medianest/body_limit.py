"""Refuses bodies that are larger than anything this backend takes, before they are in memory."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medianest.problems import problem

_DETAIL = "The body is too large: at most {limit} bytes"


class BodyLimit:
    """By the announced length where there is one, by counting where there is none. `exceptions` are
    limits of single paths."""

    def __init__(self, app: ASGIApp, limit: int, exceptions: Mapping[str, int]) -> None:
        self._app = app
        self._limit = limit
        self._exceptions = exceptions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._exceptions.get(scope["path"], self._limit)
        detail = _DETAIL.format(limit=limit)
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if length.isdigit() and int(length) > limit:
            await problem(scope, 413, detail, {"Connection": "close"})(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, detail, {"Connection": "close"})
            return message

        await self._app(scope, counted, send)
