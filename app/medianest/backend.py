"""The parts of the backend, put together; and how they start and stop."""

from __future__ import annotations

import asyncio

import psycopg
import structlog

from medianest import cache, database, metrics, migrations, revocation_feed
from medianest.cache import Cache
from medianest.database import Database, DatabaseUnavailableError
from medianest.events import EventManager
from medianest.health import Health
from medianest.health_checks import Check, Service, StateCheck
from medianest.internal import Internal
from medianest.lifecycle import Lifecycle
from medianest.login_limits import LoginLimits
from medianest.loop_lag import LoopLag
from medianest.media.library import Library
from medianest.media.limits import Limits
from medianest.metrics import Metrics
from medianest.notifications import Notifications
from medianest.passwords import Passwords
from medianest.profiles import Profiles
from medianest.request_figures import RequestFigures
from medianest.revocation_feed import RevocationFeed
from medianest.secrets_validator import SecretRule, Secrets, SecretsValidator
from medianest.settings import Settings
from medianest.shutdown import Step, close_in_order
from medianest.tokens import MINIMUM_SECRET_LENGTH, TokenService
from medianest.users import Users
from medianest.workers.cores import default_size, usable_cores
from medianest.workers.pool import PoolOptions, WorkerPool
from medianest.workers.worker import MEGABYTE

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0

_JOBS_SHARE = 0.1
"""Of the seconds between SIGTERM and SIGKILL: for jobs to finish, after the requests have."""

_TASK_MODULES: tuple[str, ...] = ("medianest.media.tasks",)
"""What the workers import; see medianest.workers.child."""


def secret_rules(settings: Settings) -> list[SecretRule]:
    """What this backend needs to know before it starts."""
    return [
        SecretRule("jwt_secret", MINIMUM_SECRET_LENGTH),
        SecretRule("jwt_secret_previous", MINIMUM_SECRET_LENGTH, required=False),
        SecretRule("database_url", check=database.problem_with_url),
        SecretRule("redis_url", check=cache.problem_with_url),
        SecretRule("guardian_token", 16, required=False),
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
        self.events = EventManager()
        self.passwords = Passwords()
        self.database = Database(secrets["database_url"])
        self.cache = Cache(secrets["redis_url"])
        self.notifications = Notifications(self.database, self.events, [revocation_feed.CHANNEL])
        self.revocations = RevocationFeed(tokens.revocations, self.database, self.events)
        self.login_limits = LoginLimits(self.cache, secrets["jwt_secret"])
        self.users = Users(self.database)
        self.profiles = Profiles(self.users, self.cache)
        self.workers = WorkerPool(
            _TASK_MODULES,
            PoolOptions(
                size=settings.workers or default_size(usable_cores()),
                memory_bytes=settings.worker_memory_mb * MEGABYTE,
            ),
        )
        self.internal = Internal(secrets.get("guardian_token"), self.workers)
        self.library = Library(
            self.database,
            self.workers,
            settings.media_directory,
            Limits.of(settings.media_largest_mb, settings.worker_memory_mb),
            queue_limit=settings.media_queue_limit,
            accepting=lambda: not self.lifecycle.draining,
        )
        self.health = Health(
            self.lifecycle,
            validator,
            [
                Service("postgres", Check("postgres", self.database.ping), True, self.database.figures),
                Service("redis", Check("redis", self.cache.ping), False, self.cache.figures),
                Service("tokens", Check("tokens", self._use_a_token), True),
                Service("workers", StateCheck(self.workers.state), True, self.workers.figures),
            ],
            {"release": settings.release, "stack": settings.stack},
        )
        self.request_figures = RequestFigures()
        self.loop_lag = LoopLag()
        self.metrics = Metrics(settings.release, settings.stack)
        self.metrics.add(lambda: metrics.requests(self.request_figures))
        self.metrics.add(lambda: metrics.event_loop(self.loop_lag.lags))
        self.metrics.add(lambda: metrics.cache(self.cache.figures()))
        self.metrics.add(lambda: metrics.database(self.database.figures()))
        self.metrics.add(lambda: metrics.workers(self.workers.figures()))
        self.metrics.add(lambda: metrics.events(self.events.figures()))
        self.metrics.add(lambda: metrics.logins(self.login_limits.figures()))
        finish = settings.drain_seconds * _JOBS_SHARE
        # What takes work first, what the work needs last. What is not finished is handed back.
        self.steps = [
            Step("jobs", lambda: self.library.stop(finish), seconds=finish + 2),
            Step("workers", lambda: self.workers.stop(0), seconds=2),
            Step("notifications", self.notifications.stop, seconds=1),
            Step("revocations", self.revocations.stop, seconds=1),
            Step("events", self._close_events, seconds=1),
            Step("cache", self.cache.close, seconds=1),
            Step("database", self.database.close, seconds=2),
        ]
        self._demo_password = secrets.get("demo_password")
        self._log = structlog.get_logger(component="backend")

    async def start(self) -> None:
        """Start the workers, bring the schema up to date, connect, and begin to serve. Waits for
        Postgres as long as it takes, which readiness shows. Raises VolumeError,
        WorkersUnavailableError, MigrationError, and psycopg.Error for a faulty migration.
        """
        self.loop_lag.start()
        await self.library.open()
        try:
            async with asyncio.TaskGroup() as together:
                together.create_task(self.workers.start())
                together.create_task(self._prepare_when_there())
        except ExceptionGroup as group:
            # One is enough to say why it does not start.
            raise group.exceptions[0] from None
        self.library.start()
        self.lifecycle.serve()
        self._log.info("Ready", stack=self.settings.stack, release=self.settings.release)

    async def _prepare_when_there(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._prepare()
                break
            except (psycopg.OperationalError, DatabaseUnavailableError) as error:
                self._log.warning("Postgres is not available yet", error=type(error).__name__, retry_in=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def stop(self) -> None:
        """Stop and close everything, when the last request has been answered."""
        self.loop_lag.stop()
        await close_in_order(self.steps)

    async def _use_a_token(self) -> None:
        self.tokens.verify(self.tokens.issue("health").value, remember=False)

    async def _close_events(self) -> None:
        self.events.close()

    async def _prepare(self) -> None:
        async with self.database.single() as connection:
            await migrations.apply(connection, migrations.load())
        await self.database.open()
        await self.revocations.start()
        self.notifications.start()
        if self.settings.demo_user and self._demo_password:
            written = await self.users.provide(self.settings.demo_user, self._demo_password, self.passwords)
            if written:
                self._log.info("Demo user provided", username=self.settings.demo_user)
