"""Postgres: a pool of connections that says plainly when it has none."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool

from medianest.secrets_validator import looks_like_placeholder

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class DatabaseUnavailableError(Exception):
    """No connection within the time-out, or it broke, or a statement took too long."""


class Database:
    """2 to 20 connections, checked before each use; what has been idle for 5 minutes is closed.

    `patience` is how long a request waits for a connection, in seconds.
    """

    def __init__(self, url: str, *, smallest: int = 2, largest: int = 20, patience: float = 2.0) -> None:
        self._url = url
        self._patience = patience
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            kwargs=_options(statement_seconds=5),
            min_size=smallest,
            max_size=largest,
            timeout=patience,
            max_waiting=200,
            max_idle=300,
            # Give a try up soon: the next request begins a new one, where the pool's own pauses
            # between tries would grow with the length of the outage.
            reconnect_timeout=3,
            check=AsyncConnectionPool.check_connection,
            open=False,
        )

    async def open(self) -> None:
        """Open the pool, which then keeps itself connected."""
        await self._pool.open()

    async def close(self) -> None:
        """Close every connection, within a second."""
        await self._pool.close(timeout=1)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection in a transaction, which commits at the end. Raises DatabaseUnavailableError."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except psycopg.OperationalError as error:
            raise DatabaseUnavailableError(type(error).__name__) from error

    @contextlib.asynccontextmanager
    async def single(self) -> AsyncIterator[Connection]:
        """A connection of its own, in autocommit, for what must not wait for the pool (migrations).

        Raises psycopg.Error.
        """
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, **_options(statement_seconds=0)
        )
        async with connection:
            yield connection

    async def ping(self) -> None:
        """Raises DatabaseUnavailableError."""
        async with self.connection() as connection:
            await connection.execute("SELECT 1")


def problem_with_url(url: str) -> str | None:
    """What is wrong with DATABASE_URL, without a word of what is in it."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        parts = {}
    if not url.startswith(("postgresql://", "postgres://")) or not parts.get("host"):
        return "is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    if looks_like_placeholder(str(parts.get("password", ""))):
        return "has a placeholder as its password: set a random value"
    return None


def _options(statement_seconds: int) -> dict[str, Any]:
    return {
        "application_name": "medianest",
        # A database that was made without an encoding would hand text over as bytes.
        "client_encoding": "UTF8",
        "connect_timeout": 2,
        "keepalives_idle": 30,
        "tcp_user_timeout": 5000,
        "options": f"-c statement_timeout={statement_seconds}s -c idle_in_transaction_session_timeout=30s",
    }
