from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import httpx
import hypothesis
import psycopg
import pytest
import structlog.testing
from hypothesis.configuration import set_hypothesis_home_dir
from link import Link
from medianest.application import application
from medianest.backend import Backend, secret_rules
from medianest.secret_source import SecretSource
from medianest.secrets_validator import SecretsValidator
from medianest.settings import Settings
from medianest.tokens import TokenService
from process import Process, Start

DEMO_USER = "demo"


@dataclass(frozen=True)
class Running:
    """A backend that has started, in this process, and the links to its services."""

    backend: Backend
    client: httpx.AsyncClient
    postgres: Link
    redis: Link
    demo_password: str

    async def token(self) -> str:
        credentials = {"username": DEMO_USER, "password": self.demo_password}
        answer = await self.client.post("/api/auth/login", json=credentials)
        assert answer.status_code == 200
        return str(answer.json()["access_token"])

    async def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {await self.token()}"}


class StartBackend(Protocol):
    def __call__(self, **environment: str) -> AbstractAsyncContextManager[Running]: ...


def pytest_configure() -> None:
    # The same examples in each run, on however busy a machine, and no files beside the tests.
    set_hypothesis_home_dir(tempfile.gettempdir())
    profile = hypothesis.settings(database=None, deadline=None, derandomize=True)
    hypothesis.settings.register_profile("tests", profile)
    hypothesis.settings.load_profile("tests")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    """What is logged during a test, as a list of events."""
    with structlog.testing.capture_logs() as events:
        yield events  # type: ignore[misc]


@pytest.fixture(scope="session")
def one_database() -> Iterator[str]:
    """Emptied by each test that uses it, since Postgres takes ten times as long to make another."""
    server, name = os.environ["DATABASE_URL"], f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def database_url(one_database: str) -> Iterator[str]:
    """An empty database that nobody else is connected to."""
    yield one_database
    with psycopg.connect(one_database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


@pytest.fixture
def redis_url() -> str:
    return os.environ["REDIS_URL"]


@pytest.fixture
async def postgres_link(database_url: str) -> AsyncIterator[Link]:
    link = Link(database_url, 5432)
    await link.open()
    yield link
    await link.close()


@pytest.fixture
async def redis_link(redis_url: str) -> AsyncIterator[Link]:
    link = Link(redis_url, 6379)
    await link.open()
    yield link
    await link.close()


@pytest.fixture
def environment(postgres_link: Link, redis_link: Link, tmp_path: Path) -> dict[str, str]:
    """What a backend needs to start, by way of the links."""
    return {
        "DATABASE_URL": postgres_link.url,
        "REDIS_URL": redis_link.url,
        "JWT_SECRET": secrets.token_urlsafe(48),
        "DEMO_USER": DEMO_USER,
        "DEMO_PASSWORD": secrets.token_urlsafe(16),
        "STACK": "tests",
        "RELEASE": "r1",
        "MEDIA_DIRECTORY": str(tmp_path / "media"),
        # Most tests use none, and each takes as long to start as all the rest of a backend.
        "WORKERS": "1",
    }


async def build(environment: dict[str, str]) -> Backend:
    """A backend of validated secrets that has not started."""
    settings = Settings.from_environment(environment)
    tokens = TokenService()
    validator = SecretsValidator(secret_rules(settings), SecretSource(environment), attempts=1)
    validator.when_validated(lambda found: tokens.initialise(found["jwt_secret"]))
    return Backend(settings, await validator.validate(), validator, tokens)


def client_of(backend: Backend) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(application(backend)), base_url="http://backend")


@pytest.fixture
def start_backend(environment: dict[str, str], postgres_link: Link, redis_link: Link) -> StartBackend:
    @asynccontextmanager
    async def start(**changes: str) -> AsyncIterator[Running]:
        backend = await build(environment | changes)
        try:
            await backend.start()
            async with client_of(backend) as client:
                yield Running(backend, client, postgres_link, redis_link, environment["DEMO_PASSWORD"])
        finally:
            await backend.stop()

    return start


@pytest.fixture
async def running(start_backend: StartBackend) -> AsyncIterator[Running]:
    async with start_backend() as running:
        yield running


@pytest.fixture
def start() -> Iterator[Start]:
    processes: list[Process] = []

    def run(environment: dict[str, str]) -> Process:
        processes.append(Process(environment))
        return processes[-1]

    yield run
    for process in processes:
        process.end()


@pytest.fixture
def direct(database_url: str, redis_url: str, tmp_path: Path) -> dict[str, str]:
    """As `environment`, without links: this process has no event loop to run them meanwhile."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "JWT_SECRET": "kQ3vZ8pR1tYw6uXe2sBn9mLc4hJf7gDa0",
        "DEMO_USER": "demo",
        "DEMO_PASSWORD": "zT5rW8nB2vCx",
        "DRAIN_SECONDS": "5",
        "MEDIA_DIRECTORY": str(tmp_path / "media"),
    }
