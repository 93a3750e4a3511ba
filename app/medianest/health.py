"""What this process says of itself: alive, ready, and the full document."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from medianest.answers import Json, uncached
from medianest.health_checks import Finding, Service, Word
from medianest.lifecycle import Lifecycle, Phase
from medianest.memory import resident_bytes
from medianest.routes import direct
from medianest.secrets_validator import SecretsValidator, ValidationState

LIVE, READY, REPORT = "/api/health/live", "/api/health/ready", "/api/health"
PATHS = frozenset({LIVE, READY, REPORT})
_UNAVAILABLE = "Starting, draining, or without what it needs; the same document as a 200"


class Status(StrEnum):
    """One word for the whole. `DEGRADED` serves every request, some of them slower."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    STARTING = "starting"
    DRAINING = "draining"


class StatusDocument(BaseModel):
    """One word."""

    status: str


class HealthDocument(BaseModel):
    """A word for the whole and one for each service. `details` are for the bearer of a token."""

    status: Status
    services: dict[str, str]
    details: dict[str, Any] | None = None


@dataclass(frozen=True)
class Report:
    """The outcome: a word for the whole and one for each service."""

    status: Status
    services: Mapping[str, str]

    @property
    def code(self) -> int:
        """The HTTP status: 200 while requests can be served."""
        return 200 if self.status in (Status.HEALTHY, Status.DEGRADED) else 503


def judge(phase: Phase, secrets: ValidationState, findings: Sequence[tuple[Service, Finding]]) -> Report:
    """Without a vital service nothing can be served; without another everything can, only slower."""
    words = {service.name: str(finding.word) for service, finding in findings}
    dead = {service.vital for service, finding in findings if finding.word is Word.UNHEALTHY}
    if phase is Phase.STARTING:
        status = Status.STARTING
    elif phase is Phase.DRAINING:
        status = Status.DRAINING
    elif secrets is not ValidationState.VALIDATED or True in dead:
        status = Status.UNHEALTHY
    elif all(finding.word is Word.HEALTHY for _, finding in findings):
        status = Status.HEALTHY
    else:
        status = Status.DEGRADED
    return Report(status, {"secrets": str(secrets)} | words)


class Health:
    """Puts the services' checks together. `about` goes into the details as it is."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        secrets: SecretsValidator,
        services: Sequence[Service],
        about: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lifecycle = lifecycle
        self._secrets = secrets
        self.services = list(services)
        self._about = about
        self._clock = clock
        self._started = clock()

    async def ready(self) -> bool:
        """Whether requests should come here. Asks nothing while starting or draining."""
        if self._lifecycle.phase is not Phase.SERVING:
            return False
        findings = await self._findings(service for service in self.services if service.vital)
        return all(finding.word is not Word.UNHEALTHY for _, finding in findings)

    async def report(self) -> tuple[Report, Mapping[str, Any]]:
        """The full document's content, and the details for those who may see them."""
        findings = await self._findings(self.services)
        details = {
            **self._about,
            "uptime_seconds": round(self._clock() - self._started, 1),
            "memory_bytes": resident_bytes(),
            "services": {service.name: _details(service, finding) for service, finding in findings},
        }
        return judge(self._lifecycle.phase, self._secrets.state, findings), details

    def routes(
        self,
        identify: Callable[[Request], Awaitable[UUID]],
        is_guardian: Callable[[Request], bool] = lambda _: False,
    ) -> APIRouter:
        """The three endpoints. A 503 has the same shape as a 200, since programs read both.

        Nobody needs a token here, but who shows one that is refused is told so (RFC 6750, section 3.1)
        rather than mistaken for a stranger.
        """
        router = APIRouter(tags=["health"])
        alive = uncached({"status": "alive"})

        @direct(router, "GET", LIVE, response_model=StatusDocument)
        async def live(_: Request) -> Response:
            """Answers while the process works; looks at nothing else."""
            return alive

        unavailable = {503: {"description": _UNAVAILABLE, "model": StatusDocument}}

        @direct(router, "GET", READY, response_model=StatusDocument, responses=unavailable)
        async def ready(_: Request) -> Response:
            """Answers 200 while requests should come here."""
            if await self.ready():
                return uncached({"status": "ready"})
            phase = self._lifecycle.phase
            return uncached({"status": "unavailable" if phase is Phase.SERVING else str(phase)}, 503)

        unhealthy = {503: {"description": _UNAVAILABLE, "model": HealthDocument}}

        @direct(
            router,
            "GET",
            REPORT,
            response_model=HealthDocument,
            responses=unhealthy,
            dependencies=[Depends(HTTPBearer(auto_error=False))],
            openapi_extra={"security": [{}]},  # or none
        )
        async def report(request: Request) -> Response:
            """A word for each service; the bearer of a token is told details too."""
            shown = "authorization" in request.headers
            known = shown and (is_guardian(request) or await identify(request))
            found, details = await self.report()
            return _document(found, details if known else None)

        return router

    async def _findings(self, services: Any) -> list[tuple[Service, Finding]]:
        asked = list(services)
        findings = await asyncio.gather(*(service.check.finding() for service in asked))
        return list(zip(asked, findings, strict=True))


def _details(service: Service, finding: Finding) -> Mapping[str, Any]:
    figures = {} if service.figures is None else {"figures": service.figures()}
    return {"latency_ms": finding.latency_ms, "error": finding.error, **figures}


def _document(report: Report, details: Mapping[str, Any] | None) -> Json:
    document = {"status": report.status, "services": report.services}
    return uncached(document if details is None else document | {"details": details}, report.code)
