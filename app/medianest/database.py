"""Postgres: a pool of connections that says plainly when it has none."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from medianest.memory import resident_bytes
from medianest.pooled_connection import PooledConnection
from medianest.secrets_validator import looks_like_placeholder

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Row = tuple[Any, ...]
Parameters = Sequence[Any]
Cursor = psycopg.AsyncCursor[Row]

# Postgres ends a statement that takes longer. It is given a little more time to say so.
STATEMENT_SECONDS = 5
_GRACE_SECONDS = 1
# A transaction is a few statements; one that takes longer hangs.
TRANSACTION_SECONDS = 15


class DatabaseUnavailableError(Exception):
    """No connection in time, or it broke, or a statement took too long: a 503.

    `retry_after` is for the header of that name, in seconds.
    """

    retry_after = 2


class DatabaseBusyError(DatabaseUnavailableError):
    """Postgres may be well, but every connection is in use, and stayed so for as long as one waits."""

    retry_after = 1


@dataclass(frozen=True)
class DatabaseFigures:
    """Connections of now: `size` is open or being opened, of which `idle` and `active` are open;
    `waiting` counts who waits for one. Since the start of the process: connections `created` and
    `destroyed`; `errors`, what failed because Postgres did; `exhausted`, what found no connection.
    """

    size: int
    idle: int
    active: int
    waiting: int
    created: int
    destroyed: int
    errors: int
    exhausted: int


class Database:
    """2 to 20 connections. What has not been needed for 5 minutes is closed.

    Never a hang: who asks waits up to `patience` seconds for a connection, then the statement may
    take `STATEMENT_SECONDS`, or a transaction `TRANSACTION_SECONDS`, even if the network swallows
    everything. A read whose connection was lost is repeated, once, on another; a write never is,
    since nobody knows whether it was carried out.
    """

    def __init__(
        self,
        url: str,
        *,
        smallest: int = 2,
        largest: int = 20,
        patience: float = 2.0,
        statement_seconds: float = STATEMENT_SECONDS,
        idle_seconds: float = 300.0,
        report_seconds: float = 60.0,
    ) -> None:
        self._url = url
        self._largest = largest
        self._patience = patience
        self._statement_seconds = statement_seconds
        self._report_seconds = report_seconds
        self._reporting: asyncio.Task[None] | None = None
        self._connections: WeakSet[PooledConnection] = WeakSet()
        self._created = self._errors = self._exhausted = 0
        self._log = structlog.get_logger(component="database")
        self._pool: AsyncConnectionPool[PooledConnection] = AsyncConnectionPool(
            url,
            connection_class=PooledConnection,
            kwargs=_options(statement_seconds) | {"autocommit": True, "prepare_threshold": 2},
            min_size=smallest,
            max_size=largest,
            timeout=patience,
            max_waiting=200,
            # The pool gives up one connection in each such period in which one was not needed. After
            # a peak the last one goes when `idle_seconds` are over, whatever the size of the peak. (By
            # connection would not do: they take turns, and a trickle of requests keeps all young.)
            max_idle=idle_seconds / (largest - smallest + 1),
            # Give a try up soon: the next request begins a new one, where the pool's own pauses
            # between tries would grow with the length of the outage.
            reconnect_timeout=3,
            configure=self._configure,
            open=False,
        )

    async def open(self) -> None:
        """Open the pool, which then keeps itself connected. Opening an open one changes nothing."""
        await self._pool.open()
        if self._reporting is None:
            self._reporting = asyncio.create_task(self._report())

    async def close(self) -> None:
        """Close every connection, within a second."""
        if self._reporting is not None:
            self._reporting.cancel()
            await asyncio.gather(self._reporting, return_exceptions=True)
        await self._pool.close(timeout=1)

    def figures(self) -> DatabaseFigures:
        """For metrics and health."""
        stats = self._pool.get_stats()
        opened = sum(1 for connection in self._connections if not connection.closed)
        idle = min(stats["pool_available"], opened)
        return DatabaseFigures(
            size=0 if self._pool.closed else stats["pool_size"],
            idle=idle,
            active=opened - idle,
            waiting=stats["requests_waiting"],
            created=self._created,
            destroyed=self._created - opened,
            errors=self._errors,
            exhausted=self._exhausted,
        )

    async def fetch_one(self, query: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a read, or None. One round trip. Raises DatabaseUnavailableError."""
        cursor = await self._execute(query, parameters, repeat=True)
        return await cursor.fetchone()

    async def fetch_all(self, query: str, parameters: Parameters = ()) -> list[Row]:
        """The rows of a read. One round trip. Raises DatabaseUnavailableError."""
        cursor = await self._execute(query, parameters, repeat=True)
        return await cursor.fetchall()

    async def write_one(self, query: str, parameters: Parameters = ()) -> Row | None:
        """Carry out one statement, which is a transaction of its own. One round trip, never repeated.

        Returns the first row that it returns, or None. Raises DatabaseUnavailableError: the statement
        may have been carried out or not.
        """
        cursor = await self._execute(query, parameters, repeat=False)
        return await cursor.fetchone() if cursor.description else None

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection in a transaction, which commits at the end. Raises DatabaseUnavailableError."""
        try:
            connection = await self._take(TRANSACTION_SECONDS)
            try:
                async with connection.transaction():
                    yield connection
            finally:
                await self._put_back(connection)
        except psycopg.OperationalError as error:
            raise self._counted(error) from error

    @contextlib.asynccontextmanager
    async def single(self) -> AsyncIterator[Connection]:
        """A connection of its own, in autocommit, for what must not wait for the pool (migrations).

        Raises psycopg.Error.
        """
        connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, **_options(0))
        async with connection:
            yield connection

    async def ping(self) -> None:
        """Raises DatabaseUnavailableError."""
        await self.fetch_one("SELECT 1")

    async def _execute(self, query: str, parameters: Parameters, *, repeat: bool) -> Cursor:
        """The cursor holds the whole result; its connection is back in the pool."""
        try:
            connection = await self._take(self._statement_seconds + _GRACE_SECONDS)
            try:
                return await connection.execute(query.encode(), parameters)
            except psycopg.OperationalError as error:
                if not (repeat and connection.was_lost(error)):
                    raise
            finally:
                await self._put_back(connection)
        except psycopg.OperationalError as error:
            raise self._counted(error) from error
        return await self._execute(query, parameters, repeat=False)

    async def _take(self, seconds: float) -> PooledConnection:
        """A connection that works, to be used for up to `seconds`."""
        # In place of the pool's own check, which pauses for a second between one broken connection
        # and the next: after a restart of Postgres all of them are.
        deadline = time.monotonic() + self._patience
        while True:
            connection = await self._from_pool(max(0.0, deadline - time.monotonic()))
            try:
                if connection.trusted() or await connection.works():
                    connection.give_up_after(seconds)
                    return connection
            except BaseException:
                await self._put_back(connection)
                raise
            await connection.close()
            await self._put_back(connection)

    async def _from_pool(self, seconds: float) -> PooledConnection:
        try:
            return await self._pool.getconn(timeout=seconds)
        except TooManyRequests:
            # Those that have given up still count as waiting, until a connection comes. After an outage
            # nothing else would ask for one: the pool begins one for requests that it lets wait.
            await self._pool.check()
            raise

    async def _put_back(self, connection: PooledConnection) -> None:
        connection.rest()
        await self._pool.putconn(connection)

    async def _configure(self, connection: PooledConnection) -> None:
        self._created += 1
        self._connections.add(connection)
        connection.rest()

    def _counted(self, error: psycopg.OperationalError) -> DatabaseUnavailableError:
        if not isinstance(error, PoolTimeout | TooManyRequests):
            self._errors += 1
            return DatabaseUnavailableError(type(error).__name__)
        self._exhausted += 1
        busy = self.figures().active >= self._largest
        kind = DatabaseBusyError if busy else DatabaseUnavailableError
        return kind(type(error).__name__)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(self._report_seconds)
            figures = self.figures()
            self._log.info(
                "Database pool",
                created=figures.created,
                destroyed=figures.destroyed,
                active=figures.active,
                idle=figures.idle,
                waiting=figures.waiting,
                resident_bytes=resident_bytes(),
            )


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


def _options(statement_seconds: float) -> dict[str, Any]:
    milliseconds = round(statement_seconds * 1000)
    return {
        "application_name": "medianest",
        # A database that was made without an encoding would hand text over as bytes.
        "client_encoding": "UTF8",
        "connect_timeout": 2,
        "keepalives_idle": 30,
        "tcp_user_timeout": 5000,
        "options": f"-c statement_timeout={milliseconds} -c idle_in_transaction_session_timeout=30s",
    }
