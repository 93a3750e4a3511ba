"""The parts of the backend, put together; and how they start and stop."""

from __future__ import annotations

import asyncio

import psycopg
import structlog

from medianest import cache, database, metrics, migrations
from medianest.cache import Cache
from medianest.database import Database, DatabaseUnavailableError
from medianest.health import Health
from medianest.health_checks import Check, Service
from medianest.lifecycle import Lifecycle
from medianest.loop_lag import LoopLag
from medianest.metrics import Metrics
from medianest.passwords import Passwords
from medianest.profiles import Profiles
from medianest.request_figures import RequestFigures
from medianest.secrets_validator import SecretRule, Secrets, SecretsValidator
from medianest.settings import Settings
from medianest.shutdown import Step, close_in_order
from medianest.tokens import MINIMUM_SECRET_LENGTH, TokenService
from medianest.users import Users

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


def secret_rules(settings: Settings) -> list[SecretRule]:
    """What this backend needs to know before it starts."""
    return [
        SecretRule("jwt_secret", MINIMUM_SECRET_LENGTH),
        SecretRule("jwt_secret_previous", MINIMUM_SECRET_LENGTH, required=False),
        SecretRule("database_url", check=database.problem_with_url),
        SecretRule("redis_url", check=cache.problem_with_url),
        *([SecretRule("demo_password", 12)] if settings.demo_user else []),
    ]


class Backend:
    """Made of validated secrets. Connects nothing before `start`."""

    def __init__(
        self, settings: Settings, secrets: Secrets, validator: SecretsValidator, tokens: TokenService
    ) -> None:
        self.settings = settings
        self.lifecycle = Lifecycle()
        self.tokens = tokens
        self.passwords = Passwords()
        self.database = Database(secrets["database_url"])
        self.cache = Cache(secrets["redis_url"])
        self.users = Users(self.database)
        self.profiles = Profiles(self.users, self.cache)
        self.health = Health(
            self.lifecycle,
            validator,
            [
                Service("postgres", Check("postgres", self.database.ping), vital=True),
                Service("redis", Check("redis", self.cache.ping), False, self.cache.figures),
                Service("tokens", Check("tokens", self._use_a_token), vital=True),
            ],
            {"release": settings.release, "stack": settings.stack},
        )
        self.request_figures = RequestFigures()
        self.loop_lag = LoopLag()
        self.metrics = Metrics(settings.release, settings.stack)
        self.metrics.add(lambda: metrics.requests(self.request_figures))
        self.metrics.add(lambda: metrics.event_loop(self.loop_lag.lags))
        self.metrics.add(lambda: metrics.cache(self.cache.figures()))
        # What takes work first, what the work needs last.
        self.steps = [
            Step("cache", self.cache.close, seconds=1),
            Step("database", self.database.close, seconds=2),
        ]
        self._demo_password = secrets.get("demo_password")
        self._log = structlog.get_logger(component="backend")

    async def start(self) -> None:
        """Bring the schema up to date, connect, and begin to serve. Waits for Postgres as long as it
        takes, which readiness shows. Raises MigrationError, and psycopg.Error for a faulty migration.
        """
        self.loop_lag.start()
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._prepare()
                break
            except (psycopg.OperationalError, DatabaseUnavailableError) as error:
                self._log.warning("Postgres is not available yet", error=type(error).__name__, retry_in=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        self.lifecycle.serve()
        self._log.info("Ready", stack=self.settings.stack, release=self.settings.release)

    async def stop(self) -> None:
        """Stop and close everything, when the last request has been answered."""
        self.loop_lag.stop()
        await close_in_order(self.steps)

    async def _use_a_token(self) -> None:
        self.tokens.verify(self.tokens.issue("health").value)

    async def _prepare(self) -> None:
        async with self.database.single() as connection:
            await migrations.apply(connection, migrations.load())
        await self.database.open()
        if self.settings.demo_user and self._demo_password:
            written = await self.users.provide(self.settings.demo_user, self._demo_password, self.passwords)
            if written:
                self._log.info("Demo user provided", username=self.settings.demo_user)
