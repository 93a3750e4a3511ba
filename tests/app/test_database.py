import asyncio
import contextlib
import gc
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from eventually import eventually
from link import Link
from medianest.database import Database, DatabaseBusyError, DatabaseFigures, DatabaseUnavailableError
from medianest.memory import resident_bytes


@pytest.fixture(scope="module", params=["uvloop", pytest.param("asyncio", marks=pytest.mark.slow)])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture
async def database(postgres_link: Link) -> AsyncIterator[Database]:
    database = Database(postgres_link.url, largest=3)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Postgres itself, past the link and the pool."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as server:
        yield server


async def connections(server: psycopg.AsyncConnection[Any]) -> int:
    """How many there are besides this one, as Postgres counts them."""
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    row = await (await server.execute(query)).fetchone()
    assert row is not None
    return int(row[0])


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


async def answers(database: Database) -> bool:
    try:
        await database.ping()
    except DatabaseUnavailableError:
        return False
    return True


async def all_open(database: Database, number: int) -> None:
    """Have so many connections open."""
    reached = asyncio.Event()
    inside = 0

    async def hold() -> None:
        nonlocal inside
        async with database.connection():
            inside += 1
            if inside == number:
                reached.set()
            await reached.wait()

    async with asyncio.timeout(20):
        await asyncio.gather(*(hold() for _ in range(number)))


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
        with pytest.raises(DatabaseBusyError, match="PoolTimeout"):
            await database.ping()
    await database.ping()
    figures = database.figures()
    assert (figures.exhausted, figures.errors, figures.waiting) == (1, 0, 0)
    assert figures.size == 3


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


# The pool's pauses are the same on either.
@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True})], ids=["uvloop"], scope="module")
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


async def test_an_outage_that_more_have_waited_in_than_may_wait_ends_too(
    database: Database, postgres_link: Link
) -> None:
    """Those that have given up count as waiting: the pool, full of them, asked for no connection any more."""
    await postgres_link.cut()
    down = time.monotonic()
    while database.figures().waiting < 200 or time.monotonic() - down < 10:
        asked = (database.ping() for _ in range(100))
        given_up = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(error, DatabaseUnavailableError) for error in given_up)
        assert time.monotonic() - down < 60
    await postgres_link.mend()
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(DatabaseUnavailableError):
                await database.ping()
                return
            await asyncio.sleep(0.05)


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


async def test_a_read_gives_rows_and_a_write_what_it_returns(database: Database) -> None:
    await database.write_one("CREATE TABLE kept (id uuid PRIMARY KEY, name text)")
    first, second = UUID(int=1), UUID(int=2)
    insert = "INSERT INTO kept VALUES (%s, %s) RETURNING id"
    assert await database.write_one(insert, [first, "é"]) == (first,)
    assert await database.write_one("INSERT INTO kept VALUES (%s, %s)", [second, None]) is None
    query = "SELECT id, name FROM kept WHERE id = %s"
    for _ in range(5):  # prepared after a few
        assert await database.fetch_one(query, [first]) == (first, "é")
    assert await database.fetch_one(query, [uuid4()]) is None
    assert await database.fetch_all("SELECT id FROM kept ORDER BY id") == [(first,), (second,)]


async def test_a_mistake_in_a_statement_is_not_an_outage(database: Database) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        await database.fetch_one("SELECT * FROM nothing")
    with pytest.raises(psycopg.errors.SyntaxError):
        await database.write_one("SELEKT 1")
    assert database.figures().errors == 0
    await database.ping()


async def test_a_read_that_takes_too_long_is_ended_and_not_repeated(postgres_link: Link) -> None:
    database = Database(postgres_link.url, statement_seconds=0.2)
    await database.open()
    with pytest.raises(DatabaseUnavailableError, match="QueryCanceled"):
        await database.fetch_one("SELECT pg_sleep(5)")
    assert database.figures().errors == 1
    await database.close()


async def test_a_network_that_swallows_everything_is_not_waited_for_for_ever(postgres_link: Link) -> None:
    database = Database(postgres_link.url, statement_seconds=0.2, patience=0.5)
    await database.open()
    await database.ping()
    postgres_link.stall()
    for work in (database.fetch_one, database.write_one):
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            await work("SELECT 1")
        assert time.monotonic() - started < 3
    postgres_link.flow()
    await until(lambda: answers(database))
    await database.close()


async def test_a_request_that_is_cancelled_while_the_network_hangs_ends_soon(postgres_link: Link) -> None:
    database = Database(postgres_link.url, statement_seconds=0.2, patience=0.5)
    await database.open()
    await database.ping()
    postgres_link.stall()
    asking = asyncio.create_task(database.ping())
    await asyncio.sleep(0.05)
    started = time.monotonic()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert time.monotonic() - started < 3
    postgres_link.flow()
    await until(lambda: answers(database))
    await database.close()


async def test_a_restart_between_two_requests_is_noticed_by_nobody(
    database: Database, postgres_link: Link
) -> None:
    await database.write_one("CREATE TABLE kept (id int)")
    for number in range(20):
        await all_open(database, 3)
        await postgres_link.cut()
        await postgres_link.mend()
        # However short the connections have been idle, and however many of them are broken.
        if number % 2:
            await database.write_one("INSERT INTO kept VALUES (%s)", [number])
        else:
            await database.ping()
    assert database.figures().errors == 0
    assert await database.fetch_one("SELECT count(*) FROM kept") == (10,)


async def test_a_read_whose_connection_is_lost_in_the_midst_is_repeated_once(
    database: Database, server: psycopg.AsyncConnection[Any]
) -> None:
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND state = 'active' AND query LIKE 'SELECT pg_sleep(0.5)%'"
    )

    async def ended() -> bool:
        return bool(await (await server.execute(end)).fetchall())

    reading = asyncio.create_task(database.fetch_one("SELECT pg_sleep(0.5)::text"))
    await until(ended)
    assert await reading == ("",)
    assert database.figures().errors == 0

    writing = asyncio.create_task(database.write_one("SELECT pg_sleep(0.5)::text"))
    await until(ended)
    with pytest.raises(DatabaseUnavailableError):
        await writing
    assert database.figures().errors == 1


async def test_a_connection_that_was_idle_is_asked_and_one_in_use_is_not(postgres_link: Link) -> None:
    database = Database(postgres_link.url, largest=2)
    await database.open()
    await all_open(database, 2)
    (connection, *_) = database._pool._pool
    asked = 0
    execute = connection.execute

    async def counting(*arguments: Any, **options: Any) -> Any:
        nonlocal asked
        asked += 1
        return await execute(*arguments, **options)

    connection.execute = counting  # type: ignore[method-assign]
    for _ in range(4):
        await database.ping()
    often = asked
    for idle in database._pool._pool:
        idle._used_at -= 2
    for _ in range(2):
        await database.ping()
    # Both once for their work, and this one once more for the question.
    assert (often, asked - often) == (2, 2)
    await database.close()


async def test_the_pool_returns_to_its_smallest_size_after_a_peak(
    postgres_link: Link, server: psycopg.AsyncConnection[Any]
) -> None:
    database = Database(postgres_link.url, idle_seconds=6)
    await database.open()
    await all_open(database, 20)
    # How many are idle is not asked: the first may have gone by now (one goes every 0.3 s).
    assert database.figures().created == 20

    async def small() -> bool:
        # A trickle of requests, as there always is one.
        await database.ping()
        return await connections(server) == 2

    started = time.monotonic()
    await until(small, 20)
    assert time.monotonic() - started < 15
    figures = database.figures()
    assert (figures.size, figures.idle, figures.active) == (2, 2, 0)
    assert (figures.created, figures.destroyed) == (20, 18)
    await database.close()
    assert database.figures() == DatabaseFigures(0, 0, 0, 0, 20, 20, 0, 0)


async def test_the_pool_is_reported_regularly(postgres_link: Link, logged: list[dict[str, Any]]) -> None:
    database = Database(postgres_link.url, report_seconds=0.05)
    await database.open()

    def active() -> list[int]:
        return [event["active"] for event in logged if event["event"] == "Database pool"]

    async with database.connection():
        # One may have been made before the connection was had.
        await eventually(lambda: active().count(1) >= 2)
    reports = [event for event in logged if event["event"] == "Database pool"]
    assert len(reports) >= 2
    assert reports[-1].keys() >= {"created", "destroyed", "active", "idle", "waiting", "resident_bytes"}
    assert (reports[-1]["active"], reports[-1]["waiting"]) == (1, 0)
    assert reports[-1]["resident_bytes"] > 10_000_000
    await database.close()


async def test_ten_thousand_operations_leave_memory_and_connections_as_they_were(
    postgres_link: Link, server: psycopg.AsyncConnection[Any]
) -> None:
    database = Database(postgres_link.url, idle_seconds=2)
    await database.open()
    await database.write_one("CREATE TABLE kept (id int PRIMARY KEY, times int)")
    await database.write_one("INSERT INTO kept SELECT id, 0 FROM generate_series(0, 99) AS id")

    async def work(number: int) -> None:
        if number % 5:
            row = await database.fetch_one("SELECT id FROM kept WHERE id = %s", [number % 100])
            assert row == (number % 100,)
        else:
            await database.write_one("UPDATE kept SET times = times + 1 WHERE id = %s", [number % 100])

    async def many(times: int) -> int:
        for start in range(0, times, 50):
            await asyncio.gather(*(work(number) for number in range(start, start + 50)))
        gc.collect()
        return resident_bytes()

    before = await many(2000)
    assert await many(10_000) < before * 1.05
    assert await database.fetch_one("SELECT sum(times) FROM kept") == (2400,)

    async def small() -> bool:
        return await connections(server) == 2

    await until(small)
    await database.close()


async def test_requests_cancelled_at_random_leak_nothing_and_get_their_own_answers(
    database: Database, server: psycopg.AsyncConnection[Any]
) -> None:
    dice = random.Random(20260101)

    async def read(number: int) -> None:
        assert await database.fetch_one("SELECT %s::int", [number]) == (number,)

    async def transact(number: int) -> None:
        async with database.connection() as connection:
            cursor = await connection.execute("SELECT %s::int", [number])
            assert await cursor.fetchone() == (number,)

    async def disturb() -> None:
        task = asyncio.create_task(dice.choice([read, transact])(dice.randrange(1000)))
        if dice.random() < 0.5:
            await asyncio.sleep(dice.random() * 0.004)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            task.result()

    for _ in range(30):
        await asyncio.gather(*(disturb() for _ in range(20)))

    async def at_rest() -> bool:
        figures = database.figures()
        return figures.active == 0 and figures.waiting == 0

    await until(at_rest)
    assert await connections(server) <= 3
    # Every connection of the pool can still be had.
    await all_open(database, 3)


async def test_under_load_a_restart_loses_no_acknowledged_write(
    database: Database, postgres_link: Link, server: psycopg.AsyncConnection[Any]
) -> None:
    await server.execute("CREATE TABLE kept (id int)")
    acknowledged: set[int] = set()
    refused = 0
    running = True

    async def write(first: int) -> None:
        nonlocal refused
        number = first
        while running:
            number += 10
            try:
                if number % 20 < 10:
                    await database.write_one("INSERT INTO kept VALUES (%s)", [number])
                else:
                    async with database.connection() as connection:
                        await connection.execute("INSERT INTO kept VALUES (%s)", [number])
                acknowledged.add(number)
            except DatabaseUnavailableError:
                refused += 1
                await asyncio.sleep(0.02)

    writers = [asyncio.create_task(write(first)) for first in range(10)]
    for _ in range(3):
        await asyncio.sleep(0.2)
        await postgres_link.cut()
        await asyncio.sleep(0.1)
        await postgres_link.mend()
        reached = len(acknowledged)
        async with asyncio.timeout(20):
            while len(acknowledged) < reached + 20:
                await asyncio.sleep(0.02)
    running = False
    await asyncio.gather(*writers)
    assert refused > 0
    kept = {row[0] for row in await (await server.execute("SELECT id FROM kept")).fetchall()}
    assert acknowledged <= kept

    async def at_rest() -> bool:
        return database.figures().active == 0 and await connections(server) <= 3

    await until(at_rest)
