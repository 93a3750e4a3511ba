"""The document as server-sent events, for as long as somebody looks and may.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from aiohttp import web

from guardian.dashboard.source import Source
from guardian.dashboard.view import as_json

EVERY_SECONDS = 2.0
MOST_LISTENERS = 20
# How long a browser waits before it connects again.
_RETRY_MILLISECONDS = 2000


class Stream:
    """Each listener gets a document at once, and one every two seconds, changed or not: its silence is how
    a page notices that the connection is gone."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._listeners = 0

    async def serve(self, request: web.Request, may_go_on: Callable[[], bool]) -> web.StreamResponse:
        """Until the listener goes, or may not go on: then the last event is `ended`."""
        if self._listeners >= MOST_LISTENERS:
            return web.json_response({"error": "too many pages are open"}, status=503)
        self._listeners += 1
        try:
            response = web.StreamResponse(
                headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
            )
            await response.prepare(request)
            await response.write(f"retry: {_RETRY_MILLISECONDS}\n\n".encode())
            while may_go_on():
                await response.write(event("state", as_json(await self._source.document())))
                await asyncio.sleep(EVERY_SECONDS)
            await response.write(event("ended", {}))
        except ConnectionResetError:
            pass
        finally:
            self._listeners -= 1
        return response


def event(name: str, content: dict[str, object]) -> bytes:
    """One event. JSON has no line breaks of its own, so that one line of data is enough."""
    return f"event: {name}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n".encode()
