import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from link import Link
from medianest.database import Database, DatabaseUnavailableError


@pytest.fixture
async def database(postgres_link: Link) -> AsyncIterator[Database]:
    database = Database(postgres_link.url, largest=3)
    await database.open()
    yield database
    await database.close()


async def connections(database: Database) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    async with database.connection() as connection:
        row = await (await connection.execute(query)).fetchone()
    assert row is not None
    return int(row[0])


async def test_work_is_committed_at_the_end_and_undone_on_an_error(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("CREATE TABLE kept (id int)")

    async def fail_half_way() -> None:
        async with database.connection() as connection:
            await connection.execute("INSERT INTO kept VALUES (1)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_half_way()
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT count(*) FROM kept")).fetchone()
    assert row == (0,)


async def test_text_is_text_whatever_the_encoding_of_the_database(database: Database) -> None:
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT 'é'")).fetchone()
    assert row == ("é",)


async def test_an_exhausted_pool_says_so_instead_of_hanging(database: Database) -> None:
    async with database.connection(), database.connection(), database.connection():
        with pytest.raises(DatabaseUnavailableError, match="PoolTimeout"):
            await database.ping()
    await database.ping()
    assert await connections(database) <= 3


async def test_a_statement_that_takes_too_long_is_ended(database: Database) -> None:
    async def linger() -> None:
        async with database.connection() as connection:
            await connection.execute("SET LOCAL statement_timeout = '50ms'")
            await connection.execute("SELECT pg_sleep(5)")

    with pytest.raises(DatabaseUnavailableError, match="QueryCanceled"):
        await linger()
    await database.ping()


async def test_broken_connections_are_replaced_once_postgres_is_back(
    database: Database, postgres_link: Link
) -> None:
    await database.ping()
    await postgres_link.cut()
    with pytest.raises(DatabaseUnavailableError):
        await database.ping()
    await postgres_link.mend()
    async with asyncio.timeout(30):
        while True:
            try:
                await database.ping()
                break
            except DatabaseUnavailableError:
                await asyncio.sleep(0.05)


async def test_a_long_outage_does_not_make_the_way_back_long(database: Database, postgres_link: Link) -> None:
    await postgres_link.cut()
    down = time.monotonic()
    while time.monotonic() - down < 10:
        with pytest.raises(DatabaseUnavailableError):
            await database.ping()
    await postgres_link.mend()
    back = time.monotonic()
    while time.monotonic() - back < 5:
        try:
            await database.ping()
            return
        except DatabaseUnavailableError:
            await asyncio.sleep(0.05)
    pytest.fail("Postgres is back, and the pool has not noticed within 5 s")


async def test_a_pool_that_is_not_open_is_unavailable(database_url: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match="PoolClosed"):
        await Database(database_url).ping()


async def test_closing_leaves_no_connection_behind(database: Database, database_url: str) -> None:
    await database.ping()
    await database.close()
    other = Database(database_url)
    async with other.single() as connection:
        query = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        async with asyncio.timeout(5):
            while await (await connection.execute(query)).fetchone() != (0,):
                await asyncio.sleep(0.02)
