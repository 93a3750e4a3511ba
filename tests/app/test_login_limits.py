"""Login limits on a real Redis, and without one."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from conftest import DEMO_USER, Running, StartBackend
from eventually import eventually
from link import Link
from medianest.cache import Cache
from medianest.login_limits import (
    LimitFigures,
    LoginLimits,
    TooManyAttemptsError,
    client_address,
)
from problem_shape import assert_problem
from redis.asyncio import Redis

SECRET = "kQ3vZ8pR1tYw6uXe2sBn9mLc4hJf7gDa0"
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"


@pytest.fixture
async def cache(redis_link: Link) -> AsyncIterator[Cache]:
    cache = Cache(redis_link.url)
    yield cache
    await cache.close()


@pytest.fixture
def secret() -> str:
    """Of the test's own, so that no test sees another's counts."""
    return secrets.token_urlsafe(32)


def replica(cache: Cache, secret: str, *, patience: float = 2.0) -> LoginLimits:
    """With more patience than a busy machine of tests needs, where that is not what a test is about."""
    return LoginLimits(cache, secret, account=3, address=5, patience=patience)


async def fail(limits: LoginLimits, username: str, address: str = HOME, times: int = 1) -> None:
    for _ in range(times):
        await limits.failed(await limits.begin(username, address))


async def refused(limits: LoginLimits, username: str, address: str = HOME) -> int:
    """Seconds to wait; 0 when it is not refused."""
    try:
        await limits.begin(username, address)
    except TooManyAttemptsError as error:
        return error.retry_after
    return 0


async def test_an_account_has_so_many_attempts_from_wherever(cache: Cache, secret: str) -> None:
    limits = replica(cache, secret)
    for number in range(3):
        await fail(limits, "owner", f"192.0.2.{number}")
    assert 290 <= await refused(limits, "owner", ELSEWHERE) <= 300
    assert await refused(limits, "another", ELSEWHERE) == 0
    assert limits.figures() == LimitFigures(refused=1, without_redis=0)


async def test_an_address_has_so_many_attempts_at_whatever_account(cache: Cache, secret: str) -> None:
    limits = replica(cache, secret)
    for number in range(5):
        await fail(limits, f"user{number}")
    assert await refused(limits, "owner") > 0
    assert await refused(limits, "owner", ELSEWHERE) == 0


async def test_replicas_count_together(cache: Cache, secret: str) -> None:
    first, second, third = (replica(cache, secret) for _ in range(3))
    await fail(first, "owner", times=2)
    await fail(second, "owner")
    assert await refused(third, "owner", ELSEWHERE) > 0


async def test_attempts_at_once_are_all_counted(cache: Cache, secret: str) -> None:
    limits, other = (LoginLimits(cache, secret, account=50, patience=2.0) for _ in range(2))
    attempts = [await limits.begin("owner", HOME) for _ in range(40)]
    await asyncio.gather(*(limits.failed(attempt) for attempt in attempts))
    assert (await other.begin("owner", ELSEWHERE)).failures == 40


async def test_who_waited_for_a_turn_is_judged_by_what_happened_meanwhile(cache: Cache, secret: str) -> None:
    limits = replica(cache, secret)
    waiting = await limits.begin("owner", HOME)
    limits.check(waiting)
    await fail(limits, "owner", ELSEWHERE, times=3)
    with pytest.raises(TooManyAttemptsError, match="try again later"):
        limits.check(waiting)


async def test_the_end_of_the_window_does_not_move(redis_link: Link, cache: Cache, secret: str) -> None:
    limits = LoginLimits(cache, secret, account=2, seconds=2, patience=2.0)
    await fail(limits, "owner", times=2)
    began = time.monotonic()
    while await refused(limits, "owner"):
        assert time.monotonic() - began < 4
        await asyncio.sleep(0.1)
    await redis_link.cut()
    assert await refused(limits, "owner") == 0


async def test_a_success_clears_the_accounts_count_everywhere(cache: Cache, secret: str) -> None:
    first, second = replica(cache, secret), replica(cache, secret)
    await fail(first, "owner", times=2)
    await first.succeeded(await first.begin("owner", HOME))
    await fail(second, "owner", times=2)
    assert await refused(second, "owner", HOME) == 0


async def test_strangers_do_not_lock_an_owner_out_of_a_familiar_address(cache: Cache, secret: str) -> None:
    first, second = replica(cache, secret), replica(cache, secret)
    await first.succeeded(await first.begin("owner", HOME))
    await fail(first, "owner", ELSEWHERE, times=3)
    assert await refused(first, "owner", ELSEWHERE) > 0
    # Known on the other replica too.
    assert await refused(second, "owner", HOME) == 0
    await fail(second, "owner", HOME, times=3)
    assert await refused(first, "owner", HOME) > 0


async def test_without_redis_each_replica_counts_for_itself(
    redis_link: Link, cache: Cache, secret: str, logged: list[dict[str, Any]]
) -> None:
    limits, other = replica(cache, secret), replica(cache, secret)
    await redis_link.cut()
    await fail(limits, "owner", times=3)
    assert await refused(limits, "owner", ELSEWHERE) > 0
    assert await refused(other, "owner", ELSEWHERE) == 0
    # Asked at the beginning of each attempt, and then not again.
    assert limits.figures() == LimitFigures(refused=1, without_redis=3)
    await redis_link.mend()
    await eventually(lambda: cache.figures().answers)
    await fail(limits, "another")
    messages = [line["event"] for line in logged if line.get("component") == "login_limits"]
    assert messages == ["Redis does not count logins; each replica does"] * 2 + ["Redis counts logins again"]


async def test_what_redis_forgets_the_process_remembers(cache: Cache, secret: str, redis_url: str) -> None:
    limits = replica(cache, secret)
    await fail(limits, "owner", times=3)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    assert await refused(limits, "owner") > 0


@pytest.mark.parametrize("fault", ["cut", "stall"])
async def test_a_dead_redis_costs_a_login_little(
    redis_link: Link, cache: Cache, secret: str, fault: str
) -> None:
    await fail(replica(cache, secret), "before")
    limits = replica(cache, secret, patience=0.1)
    if fault == "cut":
        await redis_link.cut()
    else:
        redis_link.stall()
    started = time.perf_counter()
    await fail(limits, "owner")
    assert time.perf_counter() - started < 0.15
    assert limits.figures().without_redis == 1
    redis_link.flow()


async def test_keys_in_redis_tell_no_names_and_all_expire(cache: Cache, secret: str, redis_url: str) -> None:
    limits = replica(cache, secret)
    await fail(limits, "owner")
    await limits.succeeded(await limits.begin("owner", HOME))
    await fail(limits, "owner")
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        keys = [str(key) for key in await redis.keys("login:*")]
        lifetimes = [await redis.ttl(key) for key in keys]
    assert keys
    assert not any(word in key for key in keys for word in ("owner", HOME))
    assert all(0 < lifetime <= 30 * 24 * 3600 for lifetime in lifetimes)


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([], "203.0.113.5"),
        ([(b"x-forwarded-for", b"192.0.2.1")], "192.0.2.1"),
        # Of several, the last is the gateway's own.
        ([(b"x-forwarded-for", b"10.0.0.1, 192.0.2.1")], "192.0.2.1"),
        ([(b"x-forwarded-for", b"10.0.0.1"), (b"x-forwarded-for", b"192.0.2.1")], "192.0.2.1"),
        ([(b"x-forwarded-for", b"2001:db8:1:2:3:4:5:6")], "2001:db8:1:2::/64"),
        ([(b"x-forwarded-for", b"::ffff:192.0.2.1")], "192.0.2.1"),
        ([(b"x-forwarded-for", b"\xff somewhere")], "203.0.113.5"),
        ([(b"x-forwarded-for", b"")], "203.0.113.5"),
    ],
)
def test_the_address_is_the_one_that_the_gateway_saw(
    headers: list[tuple[bytes, bytes]], address: str
) -> None:
    assert client_address({"headers": headers, "client": ("203.0.113.5", 1234)}) == address


def test_a_request_without_a_peer_has_an_address_too() -> None:
    assert client_address({"headers": [], "client": None}) == ""


async def test_too_many_wrong_passwords_get_a_429_whether_or_not_there_is_such_a_user(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []
    for username in (DEMO_USER, "nobody"):
        for _ in range(10):
            answer = await _log_in(running, username)
            assert_problem(answer, 401, "Wrong username or password")
        # Without a look at the password, or at Postgres.
        monkeypatch.setattr(running.backend.passwords, "verify", None)
        started = time.perf_counter()
        answer = await _log_in(running, username, running.demo_password)
        assert time.perf_counter() - started < 0.5
        monkeypatch.undo()
        assert 0 < int(answer.headers["Retry-After"]) <= 300
        answers.append(
            assert_problem(answer, 429, "Too many failed logins: try again later") | {"request_id": ""}
        )
    assert answers[0] == answers[1]


async def test_a_right_password_among_wrong_ones_begins_anew(running: Running) -> None:
    for _ in range(3):
        for _ in range(9):
            assert (await _log_in(running, DEMO_USER)).status_code == 401
        await running.token()


async def test_a_flood_of_guesses_at_once_is_hardly_better_than_one_after_the_other(
    running: Running,
) -> None:
    answers = await asyncio.gather(*(_log_in(running, DEMO_USER) for _ in range(60)))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {401, 429}
    # The limit, and those that were being checked when it was reached.
    assert 10 <= statuses.count(401) <= 12


async def test_logins_work_without_redis(start_backend: StartBackend) -> None:
    async with start_backend() as running:
        await running.redis.cut()
        await running.token()
        for _ in range(10):
            assert (await _log_in(running, DEMO_USER, address="192.0.2.9")).status_code == 401
        assert (await _log_in(running, DEMO_USER, address="192.0.2.9")).status_code == 429
        await running.token()


async def _log_in(
    running: Running, username: str, password: str = "not the password", address: str = ""
) -> Any:
    credentials = {"username": username, "password": password}
    headers = {"X-Forwarded-For": address} if address else {}
    return await running.client.post("/api/auth/login", json=credentials, headers=headers)
