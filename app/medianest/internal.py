"""What the guardian of the stack may ask of this process: `/internal/…`, which the gateway shows to nobody.

Without the secret `guardian_token` there is nothing here. Not in the public description of the API.
"""

from __future__ import annotations

import hmac
from http import HTTPStatus

import structlog
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

from medianest.answers import uncached
from medianest.problems import UnauthenticatedError
from medianest.routes import direct
from medianest.single_flight import SingleFlight
from medianest.stack_dump import stack_dump
from medianest.workers.errors import WorkersUnavailableError
from medianest.workers.pool import WorkerPool

RESTART_WORKERS, STACK = "/internal/workers/restart", "/internal/stack"


class Internal:
    """Knows the guardian by its token, None where there is no guardian."""

    def __init__(self, token: str | None, workers: WorkerPool) -> None:
        self._token = token
        self._workers = workers
        self._restarts: SingleFlight[None] = SingleFlight()
        self._log = structlog.get_logger(component="internal")

    def knows(self, request: Request) -> bool:
        """Whether the request shows the guardian's token."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if self._token is None or scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(given.encode(), self._token.encode())

    def routes(self) -> APIRouter:
        """Both are asked once in a while, when something is wrong."""
        router = APIRouter(include_in_schema=False)

        @direct(router, "POST", RESTART_WORKERS)
        async def restart_workers(request: Request) -> Response:
            """Replaces all workers, one after the other, each when its task is done."""
            self._admit(request)
            self._log.warning("The guardian restarts the workers")
            try:
                # To the end, also when nobody waits for the answer any more; whoever asks again joins it.
                await self._restarts.run("workers", self._workers.restart)
            except WorkersUnavailableError as error:
                self._log.error("The workers cannot be restarted", error=str(error))
                raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from None
            return uncached({"restarted": self._workers.figures().size})

        @direct(router, "GET", STACK)
        async def stack(request: Request) -> Response:
            """What threads and tasks are at: lines of code, never a value."""
            self._admit(request)
            return PlainTextResponse(stack_dump(), headers={"Cache-Control": "no-store"})

        return router

    def _admit(self, request: Request) -> None:
        if self._token is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        if not self.knows(request):
            raise UnauthenticatedError("The guardian's token is needed")
