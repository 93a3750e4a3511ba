import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from medianest import migrations
from medianest.database import Connection, Database
from medianest.migrations import Migration, MigrationError, apply, load, pending

FIRST = Migration(1, "first", "CREATE TABLE first (id int); INSERT INTO first VALUES (1)")
SECOND = Migration(2, "second", "ALTER TABLE first ADD COLUMN name text")
THIRD = Migration(3, "third", "CREATE TABLE third (id int)")


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    async with Database(database_url).single() as connection:
        yield connection


async def tables(connection: Connection) -> set[str]:
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    return {row[0] for row in await (await connection.execute(query)).fetchall()}


def test_what_is_not_applied_is_pending_in_order() -> None:
    assert pending([FIRST, SECOND], {}) == [FIRST, SECOND]
    assert pending([FIRST, SECOND], {1: FIRST.checksum}) == [SECOND]
    assert pending([FIRST], {1: FIRST.checksum}) == []


def test_what_a_newer_release_has_applied_is_left_alone() -> None:
    assert pending([FIRST], {1: FIRST.checksum, 2: "of a newer release"}) == []


def test_a_file_changed_after_it_had_been_applied_is_refused() -> None:
    with pytest.raises(MigrationError, match="migration 0001 was changed after it had been applied"):
        pending([FIRST, SECOND], {1: "another checksum"})


def test_a_migration_that_comes_too_late_is_refused() -> None:
    with pytest.raises(MigrationError, match="migration 0002 comes after 0003 has been applied"):
        pending([FIRST, SECOND, THIRD], {1: FIRST.checksum, 3: THIRD.checksum})


def test_files_are_read_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "0002_second.sql").write_text("SELECT 2")
    (tmp_path / "0001_first.sql").write_text("SELECT 1")
    (tmp_path / "README").write_text("not a migration")
    assert [(found.version, found.name) for found in load(tmp_path)] == [(1, "first"), (2, "second")]


@pytest.mark.parametrize(
    "sql", ["BEGIN;\nCREATE TABLE a (id int);\nCOMMIT;", "SELECT 1;\n rollback ;", "START TRANSACTION;"]
)
def test_a_migration_that_handles_transactions_itself_is_refused(tmp_path: Path, sql: str) -> None:
    (tmp_path / "0001_first.sql").write_text(sql)
    with pytest.raises(MigrationError, match="migration 0001 must leave transactions alone"):
        load(tmp_path)


def test_a_function_body_may_begin_and_end(tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_text("DO $$\nBEGIN\n  PERFORM 1;\nEND;\n$$;\n-- commits nothing\n")
    assert len(load(tmp_path)) == 1


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["1_first.sql"], "1_first.sql must be named like 0001_what_it_does.sql"),
        (["0001_first.sql", "0001_other.sql"], "two migrations have the number 0001"),
    ],
)
def test_a_wrong_file_name_is_refused(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationError, match=message):
        load(tmp_path)


async def test_our_own_migrations_apply_once(connection: Connection) -> None:
    versions = [migration.version for migration in load()]
    assert await apply(connection, load()) == versions
    assert await apply(connection, load()) == []
    assert {"users", "schema_migrations"} <= await tables(connection)


async def test_a_migration_that_fails_leaves_nothing_of_itself(connection: Connection) -> None:
    broken = Migration(2, "broken", "CREATE TABLE half (id int); SELECT 1 / 0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await apply(connection, [FIRST, broken])
    assert await tables(connection) == {"first", "schema_migrations"}
    assert await apply(connection, [FIRST, SECOND]) == [2]


async def test_replicas_that_start_at_once_apply_each_migration_once(database_url: str) -> None:
    async def replica() -> list[int]:
        async with Database(database_url).single() as connection:
            return await apply(connection, [FIRST, SECOND, THIRD])

    outcomes = await asyncio.gather(*(replica() for _ in range(5)))
    assert sorted(outcomes) == [[], [], [], [], [1, 2, 3]]


async def test_a_lock_that_is_held_too_long_is_given_up(connection: Connection, database_url: str) -> None:
    await connection.execute("SELECT pg_advisory_lock(%s)", [migrations._LOCK])
    async with Database(database_url).single() as other:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await apply(other, [FIRST], turn_seconds=0.5)
    assert await tables(connection) == set()


async def test_a_migration_does_not_stall_the_release_that_is_serving(database_url: str) -> None:
    async with Database(database_url).single() as connection:
        await apply(connection, [FIRST])
    database = Database(database_url)
    await database.open()

    async def requests() -> float:
        longest, end = 0.0, time.monotonic() + 1.5
        while time.monotonic() < end:
            started = time.monotonic()
            assert await database.fetch_all("SELECT id FROM first") == [(1,)]
            longest = max(longest, time.monotonic() - started)
            await asyncio.sleep(0.01)
        return longest

    async with database.connection() as slow:
        # A long transaction of the old release: the migration cannot have the table meanwhile.
        await slow.execute("SELECT id FROM first")
        serving = asyncio.create_task(requests())
        async with Database(database_url).single() as other:
            with pytest.raises(psycopg.errors.LockNotAvailable):
                await apply(other, [FIRST, SECOND], table_lock_seconds=0.3)
        longest = await serving
    assert 0.1 < longest < 1
    async with Database(database_url).single() as other:
        assert await apply(other, [FIRST, SECOND]) == [2]
    assert await database.fetch_all("SELECT id FROM first") == [(1,)]
    await database.close()


async def test_a_replica_that_is_killed_in_the_midst_leaves_its_turn_to_the_next(database_url: str) -> None:
    slow = Migration(1, "slow", "CREATE TABLE first (id int); SELECT pg_sleep(60)")

    async def replica() -> None:
        async with Database(database_url).single() as connection:
            await apply(connection, [slow])

    killed = asyncio.create_task(replica())
    async with Database(database_url).single() as other:
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
        )
        async with asyncio.timeout(10):
            while not await (await other.execute(query)).fetchall():
                await asyncio.sleep(0.02)
        with pytest.raises(psycopg.OperationalError):
            await killed
        assert await apply(other, [FIRST]) == [1]
