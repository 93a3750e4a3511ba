"""What this process says of itself: alive, ready, and the full document."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import structlog
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from medianest.lifecycle import Lifecycle, Phase
from medianest.secrets_validator import SecretsValidator, ValidationState

LIVE, READY, REPORT = "/api/health/live", "/api/health/ready", "/api/health"
PATHS = frozenset({LIVE, READY, REPORT})


class Status(StrEnum):
    """One word for the whole. `DEGRADED` serves every request, some of them slower."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    STARTING = "starting"
    DRAINING = "draining"


@dataclass(frozen=True)
class Report:
    """The outcome: a word for the whole and one for each service."""

    status: Status
    services: Mapping[str, str]

    @property
    def code(self) -> int:
        """The HTTP status: 200 while requests can be served."""
        return 200 if self.status in (Status.HEALTHY, Status.DEGRADED) else 503


def judge(phase: Phase, secrets: ValidationState, *, postgres: bool, redis: bool) -> Report:
    """Without Postgres nothing can be served; without Redis everything can, only slower."""
    services = {"secrets": str(secrets), "postgres": _word(postgres), "redis": _word(redis)}
    if phase is Phase.STARTING:
        status = Status.STARTING
    elif phase is Phase.DRAINING:
        status = Status.DRAINING
    elif not postgres or secrets is not ValidationState.VALIDATED:
        status = Status.UNHEALTHY
    else:
        status = Status.HEALTHY if redis else Status.DEGRADED
    return Report(status, services)


class Check:
    """Whether a service answers. Asked at most once per `lifetime` seconds however many want to know,
    and taken for dead after `timeout` seconds, even if the probe cannot be interrupted."""

    def __init__(
        self,
        name: str,
        probe: Callable[[], Awaitable[None]],
        *,
        timeout: float = 1.0,
        lifetime: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probe = probe
        self._timeout = timeout
        self._lifetime = lifetime
        self._clock = clock
        self._asking = asyncio.Lock()
        self._task: asyncio.Task[Exception | None] | None = None
        self._healthy: bool | None = None
        self._expires = 0.0
        self._log = structlog.get_logger(component="health", service=name)

    async def healthy(self) -> bool:
        """A probe that raises or is late counts as no."""
        async with self._asking:
            if self._healthy is None or self._clock() >= self._expires:
                self._remember(await self._ask())
            return bool(self._healthy)

    async def _ask(self) -> Exception | None:
        # A late probe is cancelled, not waited for: psycopg takes its time to give a query up.
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._outcome())
        done, _ = await asyncio.wait({self._task}, timeout=self._timeout)
        if not done:
            self._task.cancel()
        return TimeoutError() if not done or self._task.cancelled() else self._task.result()

    async def _outcome(self) -> Exception | None:
        try:
            await self._probe()
        except Exception as error:
            return error
        return None

    def _remember(self, error: Exception | None) -> None:
        if error is not None and self._healthy is not False:
            self._log.warning("Service does not answer", error=type(error).__name__)
        elif error is None and self._healthy is False:
            self._log.info("Service answers again")
        self._healthy = error is None
        self._expires = self._clock() + self._lifetime


class Health:
    """Puts the checks together."""

    def __init__(
        self, lifecycle: Lifecycle, secrets: SecretsValidator, postgres: Check, redis: Check, release: str
    ) -> None:
        self._lifecycle = lifecycle
        self._secrets = secrets
        self._postgres = postgres
        self._redis = redis
        self._release = release

    async def ready(self) -> bool:
        """Whether requests should come here. Asks nothing while starting or draining."""
        return self._lifecycle.phase is Phase.SERVING and await self._postgres.healthy()

    async def report(self) -> Report:
        """The full document's content."""
        postgres, redis = await asyncio.gather(self._postgres.healthy(), self._redis.healthy())
        return judge(self._lifecycle.phase, self._secrets.state, postgres=postgres, redis=redis)

    def routes(self) -> APIRouter:
        """The three endpoints. A 503 has the same shape as a 200, since programs read both."""
        router = APIRouter(tags=["health"])

        @router.get(LIVE)
        async def live() -> JSONResponse:
            return _answer(200, {"status": "alive"})

        @router.get(READY, responses={503: {"description": "Starting, draining, or without Postgres"}})
        async def ready() -> JSONResponse:
            if await self.ready():
                return _answer(200, {"status": "ready"})
            phase = self._lifecycle.phase
            return _answer(503, {"status": "unavailable" if phase is Phase.SERVING else str(phase)})

        @router.get(REPORT, responses={503: {"description": "Starting, draining, or without Postgres"}})
        async def report() -> JSONResponse:
            found = await self.report()
            return _answer(
                found.code,
                {"status": found.status, "services": dict(found.services), "release": self._release},
            )

        return router


def _word(healthy: bool) -> str:
    return "healthy" if healthy else "unhealthy"


def _answer(code: int, document: Mapping[str, object]) -> JSONResponse:
    return JSONResponse(document, code, {"Cache-Control": "no-store"})
