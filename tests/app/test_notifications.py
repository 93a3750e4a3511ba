import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from eventually import eventually
from link import Link
from medianest.database import Database
from medianest.events import EventManager
from medianest.notifications import LISTENING, SOURCE, Notifications


class Listener:
    """Writes down what is published."""

    def __init__(self, events: EventManager) -> None:
        self.heard: list[Any] = []
        self.connects = 0
        events.subscribe(SOURCE, "fruit", self.fruit)
        events.subscribe(SOURCE, LISTENING, self.connected)

    def fruit(self, payload: str) -> None:
        self.heard.append(payload)

    async def connected(self, _payload: object) -> None:
        self.connects += 1


@pytest.fixture
def events() -> EventManager:
    return EventManager()


@pytest.fixture
async def notifications(postgres_link: Link, events: EventManager) -> AsyncIterator[Notifications]:
    notifications = Notifications(
        Database(postgres_link.url), events, ["fruit"], first_pause=0.02, longest_pause=0.1
    )
    yield notifications
    await notifications.stop()


@pytest.fixture
async def postgres(database_url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    connection = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
    async with connection:
        yield connection


async def listeners_in(postgres: psycopg.AsyncConnection[Any]) -> int:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    )
    row = await (await postgres.execute(query)).fetchone()
    assert row is not None
    return int(row[0])


async def test_what_postgres_notifies_is_published_in_its_order(
    notifications: Notifications, events: EventManager, postgres: psycopg.AsyncConnection[Any]
) -> None:
    listener = Listener(events)
    notifications.start()
    notifications.start()
    await eventually(lambda: listener.connects == 1)
    assert notifications.listening
    await postgres.execute("NOTIFY other, 'not for us'")
    for name in ("apple", "pear", "quince"):
        await postgres.execute("SELECT pg_notify('fruit', %s)", [name])
    await eventually(lambda: len(listener.heard) == 3)
    assert listener.heard == ["apple", "pear", "quince"]
    assert await listeners_in(postgres) == 1


async def test_a_lost_connection_is_made_again_and_said_so_once(
    notifications: Notifications,
    events: EventManager,
    postgres: psycopg.AsyncConnection[Any],
    postgres_link: Link,
    logged: list[dict[str, Any]],
) -> None:
    listener = Listener(events)
    notifications.start()
    await eventually(lambda: listener.connects == 1)
    await postgres_link.cut()
    await eventually(lambda: not notifications.listening)
    await asyncio.sleep(0.3)
    await postgres_link.mend()
    await eventually(lambda: listener.connects == 2)
    await postgres.execute("NOTIFY fruit, 'apple'")
    await eventually(lambda: listener.heard == ["apple"])
    messages = [line["event"] for line in logged]
    assert messages == [
        "Listening to Postgres",
        "Lost the connection that listens",
        "Listening to Postgres",
    ]


async def test_a_server_that_ends_the_connection_is_listened_to_again(
    notifications: Notifications, events: EventManager, postgres: psycopg.AsyncConnection[Any]
) -> None:
    listener = Listener(events)
    notifications.start()
    await eventually(lambda: listener.connects == 1)
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await postgres.execute(query)
    await eventually(lambda: listener.connects == 2)


async def test_stopping_leaves_no_connection_behind(
    notifications: Notifications, events: EventManager, postgres: psycopg.AsyncConnection[Any]
) -> None:
    listener = Listener(events)
    notifications.start()
    await eventually(lambda: listener.connects == 1)
    async with asyncio.timeout(1):
        await notifications.stop()
        await notifications.stop()
    async with asyncio.timeout(5):
        while await listeners_in(postgres):
            await asyncio.sleep(0.02)
    assert not notifications.listening


async def test_stopping_does_not_wait_for_a_postgres_that_is_gone(
    notifications: Notifications, postgres_link: Link
) -> None:
    await postgres_link.cut()
    notifications.start()
    await asyncio.sleep(0.1)
    async with asyncio.timeout(1):
        await notifications.stop()
