"""The process: from the first secret to the last request."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import structlog
import uvicorn
import uvloop

from medianest.application import application
from medianest.backend import Backend, secret_rules
from medianest.lifecycle import Lifecycle
from medianest.logs import Redactor, configure
from medianest.secret_source import SecretSource
from medianest.secrets_validator import Secrets, SecretsError, SecretsValidator
from medianest.settings import Settings, SettingsError
from medianest.tokens import TokenService

# The gateway notices within 0.7 s. One that comes later meets a closed port, and goes elsewhere.
_LONGEST_PAUSE = 2.0


@dataclass(frozen=True)
class DrainPlan:
    """How the seconds between SIGTERM and SIGKILL are spent.

    1. At once: not ready any more, and no more jobs are taken (`Lifecycle.when_draining`).
    2. `pause`: serving on, while the gateway finds out.
    3. `finish`: no new connections; requests that have begun are answered.
    4. What is left: jobs are finished or handed back, then everything is closed (`Backend.stop`).
    """

    pause: float
    finish: float

    @classmethod
    def of(cls, seconds: float) -> DrainPlan:
        return cls(pause=min(_LONGEST_PAUSE, seconds * 0.2), finish=seconds * 0.6)


class Server(uvicorn.Server):
    """uvicorn, which on SIGTERM is first not ready, serves on for a pause, and only then stops."""

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle, pause: float) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._pause = pause

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """In place of uvicorn's own, which stops accepting at once and ends the process by signal."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self.drain)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def drain(self) -> None:
        """Asked once: drain, then stop. Asked again: stop without the pause."""
        if self._lifecycle.draining:
            self.should_exit = True
            return
        self._lifecycle.drain()
        structlog.get_logger(component="server").info("Draining", seconds=self._pause)
        asyncio.get_running_loop().call_later(self._pause, partial(setattr, self, "should_exit", True))


def main(environment: Mapping[str, str]) -> int:
    """Serve until SIGTERM. Returns the exit code: 0 after a clean end, 1 when it could not start."""
    redactor = Redactor()
    configure(redactor)
    log = structlog.get_logger(component="server")
    try:
        settings = Settings.from_environment(environment)
        running = _run(settings, SecretSource(environment), redactor)
        return asyncio.run(running, loop_factory=uvloop.new_event_loop)
    except SettingsError as error:
        log.critical("Cannot start", problems=[str(error)])
    except SecretsError as error:
        log.critical("Secrets validation failed", problems=error.problems)
    return 1


async def _run(settings: Settings, source: SecretSource, redactor: Redactor) -> int:
    validator = SecretsValidator(secret_rules(settings), source)
    tokens = TokenService()
    validator.when_validated(lambda secrets: redactor.hide(secrets[name] for name in secrets))
    validator.when_validated(partial(_initialise, tokens))
    secrets = await validator.validate()
    return await serve(Backend(settings, secrets, validator, tokens))


def _initialise(tokens: TokenService, secrets: Secrets) -> None:
    try:
        tokens.initialise(secrets["jwt_secret"], secrets.get("jwt_secret_previous"))
    except ValueError as error:
        raise SecretsError([f"secret jwt_secret or jwt_secret_previous: {error}"]) from None


async def serve(backend: Backend) -> int:
    """Listen at once, so that liveness answers, while the backend starts beside it."""
    plan = DrainPlan.of(backend.settings.drain_seconds)
    config = uvicorn.Config(
        application(backend),
        host="0.0.0.0",  # noqa: S104 - the container's own network
        port=backend.settings.port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        # How many requests and how large bodies and headers may be is for the application and the
        # gateway to say: uvicorn's own limit on connections would answer health probes with a 503.
        # Longer than the gateway keeps an idle connection, so that it is never the one to lose a race.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=plan.finish,  # type: ignore[arg-type]  # seconds, fractions too
    )
    server = Server(config, backend.lifecycle, plan.pause)
    starting = asyncio.create_task(backend.start())

    def started(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            server.should_exit = True
        # What is there now stays to the end: the garbage collector need not go through it each time.
        gc.collect()
        gc.freeze()

    starting.add_done_callback(started)
    try:
        await server.serve()
    finally:
        starting.cancel()
        outcome = (await asyncio.gather(starting, return_exceptions=True))[0]
        await backend.stop()
    log = structlog.get_logger(component="server")
    if isinstance(outcome, Exception):
        log.critical("Cannot start", problems=[str(outcome)], exc_info=outcome)
        return 1
    log.info("Stopped")
    return 0
