"""Revocation on real services: what holds when one of them is gone, and how others hear of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
import pytest
from conftest import DEMO_USER, Running, StartBackend, build, client_of
from eventually import eventually
from link import Link
from medianest.backend import Backend
from medianest.database import Database
from medianest.events import EventManager
from medianest.notifications import SOURCE
from medianest.revocation_feed import CHANNEL, RevocationFeed
from medianest.revocations import Revocations
from problem_shape import assert_problem


async def me(client: httpx.AsyncClient, authorization: dict[str, str]) -> int:
    return (await client.get("/api/users/me", headers=authorization)).status_code


async def log_out(running: Running, authorization: dict[str, str]) -> httpx.Response:
    return await running.client.post("/api/auth/logout", headers=authorization)


def refuses(backend: Backend, authorization: dict[str, str]) -> bool:
    try:
        backend.tokens.verify(authorization["Authorization"].removeprefix("Bearer "))
    except Exception:
        return True
    return False


async def run_sql(database_url: str, statement: str) -> None:
    connection = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
    async with connection:
        await connection.execute(statement.encode())


@asynccontextmanager
async def replica(environment: dict[str, str], postgres: Link) -> AsyncIterator[Backend]:
    """A second backend on the same services, whose Postgres has a link of its own."""
    backend = await build(environment | {"DATABASE_URL": postgres.url})
    try:
        await backend.start()
        await eventually(lambda: backend.notifications.listening)
        yield backend
    finally:
        await backend.stop()


@pytest.fixture
async def other_link(database_url: str) -> AsyncIterator[Link]:
    link = Link(database_url, 5432)
    await link.open()
    yield link
    await link.close()


async def test_after_a_logout_the_token_is_invalid_and_other_tokens_are_not(running: Running) -> None:
    first, second = await running.authorization(), await running.authorization()
    answer = await log_out(running, first)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    refused = await running.client.get("/api/users/me", headers=first)
    assert_problem(refused, 401, "Invalid token")
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    assert_problem(await log_out(running, first), 401, "Invalid token")
    assert await me(running.client, second) == 200


async def test_a_logout_needs_a_token(running: Running) -> None:
    assert_problem(await log_out(running, {}), 401, "A bearer token is needed")


async def test_two_logouts_at_once_are_one(running: Running) -> None:
    authorization = await running.authorization()
    answers = await asyncio.gather(*(log_out(running, authorization) for _ in range(5)))
    assert {answer.status_code for answer in answers} <= {204, 401}
    assert await me(running.client, authorization) == 401


async def test_revocation_needs_no_redis(running: Running) -> None:
    before, now = await running.authorization(), await running.authorization()
    await log_out(running, before)
    await running.redis.cut()
    assert (await log_out(running, now)).status_code == 204
    assert [await me(running.client, token) for token in (before, now)] == [401, 401]


async def test_a_revocation_outlives_the_process_that_wrote_it(start_backend: StartBackend) -> None:
    async with start_backend() as running:
        authorization = await running.authorization()
        await log_out(running, authorization)
    async with start_backend() as running:
        # Not even the first request gets through.
        assert await me(running.client, authorization) == 401


async def test_known_revocations_hold_without_postgres_and_new_ones_are_not_pretended(
    running: Running,
) -> None:
    revoked, good = await running.authorization(), await running.authorization()
    await log_out(running, revoked)
    assert await me(running.client, good) == 200
    await running.postgres.cut()
    assert refuses(running.backend, revoked)
    assert_problem(await log_out(running, good), 503, "The database is not available")
    # A profile from the cache: the request asks Postgres for nothing, nor does its token.
    assert [await me(running.client, token) for token in (revoked, good)] == [401, 200]


async def test_another_replica_hears_of_a_logout_within_a_second(
    running: Running, environment: dict[str, str], other_link: Link
) -> None:
    async with replica(environment, other_link) as other, client_of(other) as client:
        authorization = await running.authorization()
        assert await me(client, authorization) == 200
        await log_out(running, authorization)
        await eventually(lambda: refuses(other, authorization), seconds=1)
        assert await me(client, authorization) == 401


async def test_what_was_missed_is_made_up_for_after_a_reconnect(
    running: Running, environment: dict[str, str], other_link: Link
) -> None:
    async with replica(environment, other_link) as other:
        authorization = await running.authorization()
        await other_link.cut()
        await eventually(lambda: not other.notifications.listening)
        await log_out(running, authorization)
        assert not refuses(other, authorization)
        await other_link.mend()
        await eventually(lambda: refuses(other, authorization), seconds=15)


async def test_a_lost_notification_is_made_up_for_by_the_next_poll(
    running: Running, database_url: str
) -> None:
    known = Revocations()
    database = Database(database_url)
    await database.open()
    # Nobody publishes notifications on these events.
    feed = RevocationFeed(known, database, EventManager(), poll_seconds=0.1)
    await feed.start()
    try:
        await log_out(running, await running.authorization())
        await eventually(lambda: len(known) == 1)
    finally:
        await feed.stop()
        await database.close()


async def test_a_feed_that_fell_behind_says_so_once_and_catches_up(
    running: Running, other_link: Link, logged: list[dict[str, Any]]
) -> None:
    known = Revocations()
    database = Database(other_link.url)
    await database.open()
    feed = RevocationFeed(known, database, EventManager(), poll_seconds=0.05)

    def told(words: str) -> bool:
        return any(words in line["event"] for line in logged)

    try:
        await feed.start()
        await other_link.cut()
        await log_out(running, await running.authorization())
        await eventually(lambda: told("behind"), seconds=15)
        await other_link.mend()
        # Said a moment after all of them are known.
        await eventually(lambda: told("in step"), seconds=15)
        assert len(known) == 1
    finally:
        await feed.stop()
        await database.close()
    messages = [line["event"] for line in logged if line.get("component") == "revocations"]
    assert messages == [
        "Revocations may be behind; the known ones hold",
        "Revocations are in step again",
    ]


async def test_a_disabled_user_is_out_at_once_on_every_replica(
    running: Running, environment: dict[str, str], other_link: Link
) -> None:
    async with replica(environment, other_link) as other, client_of(other) as client:
        authorization = await running.authorization()
        assert await running.backend.users.disable(DEMO_USER)
        for backend in (running.backend, other):
            await eventually(lambda backend=backend: refuses(backend, authorization), seconds=1)  # type: ignore[misc]
        assert await me(client, authorization) == 401
        credentials = {"username": DEMO_USER, "password": running.demo_password}
        answer = await client.post("/api/auth/login", json=credentials)
        assert_problem(answer, 401, "Wrong username or password")


async def test_a_user_who_is_enabled_again_needs_a_new_token(
    start_backend: StartBackend, database_url: str
) -> None:
    async with start_backend() as running:
        known = await running.backend.users.credentials(DEMO_USER)
        assert known is not None
        former = running.backend.tokens.issue(str(known.user_id), time.time() - 60).value
        authorization = {"Authorization": f"Bearer {former}"}
        assert await me(running.client, authorization) == 200
        await running.backend.users.disable(DEMO_USER)
    # As if it had been longer ago than clocks may differ.
    await run_sql(database_url, "UPDATE users SET tokens_from = tokens_from - interval '10 s'")
    async with start_backend() as running:
        assert refuses(running.backend, authorization)
        assert await running.backend.users.enable(DEMO_USER)
        new = await running.authorization()
        await eventually(lambda: not refuses(running.backend, new), seconds=1)
        assert await me(running.client, new) == 200
        assert refuses(running.backend, authorization)


async def test_a_token_whose_login_was_overtaken_by_the_disabling_is_refused(running: Running) -> None:
    users, tokens = running.backend.users, running.backend.tokens
    known = await users.credentials(DEMO_USER)
    assert known is not None
    began = time.time()
    await users.disable(DEMO_USER)
    token = tokens.issue(str(known.user_id), began).value
    await eventually(lambda: refuses(running.backend, {"Authorization": f"Bearer {token}"}), seconds=1)


async def test_a_plain_update_of_the_table_disables_too(running: Running, database_url: str) -> None:
    authorization = await running.authorization()
    await run_sql(database_url, f"UPDATE users SET disabled_at = now() WHERE username = '{DEMO_USER}'")
    await eventually(lambda: refuses(running.backend, authorization), seconds=1)


async def test_a_restart_knows_who_is_disabled(start_backend: StartBackend) -> None:
    async with start_backend() as running:
        authorization = await running.authorization()
        await running.backend.users.disable(DEMO_USER)
    async with start_backend() as running:
        assert refuses(running.backend, authorization)
        assert await running.backend.users.credentials(DEMO_USER) is None


async def test_a_notification_that_cannot_be_read_costs_only_a_look_at_the_table(
    running: Running, database_url: str, logged: list[dict[str, Any]]
) -> None:
    await eventually(lambda: running.backend.notifications.listening)
    for payload in ("not json", "{}", "[]", '{"user_id": "x", "tokens_from": "y", "disabled": true}'):
        await run_sql(database_url, f"SELECT pg_notify('{CHANNEL}', '{payload}')")
    await eventually(lambda: len([line for line in logged if line["log_level"] == "error"]) == 4)
    authorization = await running.authorization()
    await run_sql(database_url, f"UPDATE users SET disabled_at = now() WHERE username = '{DEMO_USER}'")
    await eventually(lambda: refuses(running.backend, authorization), seconds=1)


async def test_expired_revocations_are_deleted(database_url: str, running: Running) -> None:
    await run_sql(
        database_url,
        "INSERT INTO revocations (token_id, expires_at) VALUES"
        " ('old', now() - interval '2 hours'), ('young', now() + interval '2 hours')",
    )
    known = Revocations()
    database = Database(database_url)
    await database.open()
    feed = RevocationFeed(known, database, EventManager(), poll_seconds=0.01)
    await feed.start()
    try:

        async def left() -> list[Any]:
            async with database.connection() as connection:
                return await (await connection.execute("SELECT token_id FROM revocations")).fetchall()

        async with asyncio.timeout(5):
            while await left() != [("young",)]:
                await asyncio.sleep(0.02)
    finally:
        await feed.stop()
        await database.close()
    assert len(known) == 1


async def test_after_the_end_nobody_listens(start_backend: StartBackend) -> None:
    async with start_backend() as running:
        events = running.backend.events
        assert events.figures().listeners == {SOURCE: 2}
    assert events.figures().listeners == {}
