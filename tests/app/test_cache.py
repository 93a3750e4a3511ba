import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from link import Link
from medianest.cache import Cache, CacheCounts, Cached, CacheUnavailableError, Source


class Loader:
    """What is behind the cache, and how often it was asked."""

    def __init__(self, value: bytes | None) -> None:
        self.value = value
        self.asked = 0

    async def __call__(self) -> bytes | None:
        self.asked += 1
        return self.value


@pytest.fixture
async def cache(redis_link: Link) -> AsyncIterator[Cache]:
    cache = Cache(redis_link.url)
    yield cache
    await cache.close()


@pytest.fixture
def key() -> str:
    return f"test:{secrets.token_hex(8)}"


async def test_nothing_is_connected_before_the_first_use(redis_link: Link) -> None:
    cache = Cache(redis_link.url)
    assert redis_link.accepted == 0
    await cache.ping()
    assert redis_link.accepted == 1
    await cache.close()


async def test_a_value_is_loaded_once_and_then_kept(cache: Cache, key: str) -> None:
    load = Loader(b"value")
    assert await cache.read(key, 60, load) == Cached(b"value", Source.MISS)
    assert await cache.read(key, 60, load) == Cached(b"value", Source.HIT)
    assert load.asked == 1
    assert cache.counts == CacheCounts(hits=1, misses=1, errors=0)


async def test_a_value_that_is_not_there_is_not_kept(cache: Cache, key: str) -> None:
    load = Loader(None)
    assert await cache.read(key, 60, load) is None
    load.value = b"now there is one"
    assert await cache.read(key, 60, load) == Cached(b"now there is one", Source.MISS)


async def test_a_value_expires(cache: Cache, key: str) -> None:
    load = Loader(b"value")
    await cache.read(key, 1, load)
    time.sleep(1.1)
    assert await cache.read(key, 1, load) == Cached(b"value", Source.MISS)


async def test_a_changed_value_takes_the_place_of_the_cached_one(cache: Cache, key: str) -> None:
    await cache.read(key, 60, Loader(b"old"))
    await cache.replace(key, b"new", 60)
    assert await cache.read(key, 60, Loader(b"old")) == Cached(b"new", Source.HIT)


async def test_a_slow_reader_does_not_bring_an_old_value_back(cache: Cache, key: str) -> None:
    async def load_while_it_changes() -> bytes:
        await cache.replace(key, b"new", 60)
        return b"old"

    assert await cache.read(key, 60, load_while_it_changes) == Cached(b"old", Source.MISS)
    assert await cache.read(key, 60, Loader(b"old")) == Cached(b"new", Source.HIT)


async def test_without_redis_values_are_read_past_the_cache(
    cache: Cache, key: str, redis_link: Link, logged: list[dict[str, Any]]
) -> None:
    load = Loader(b"value")
    await cache.read(key, 60, load)
    await redis_link.cut()
    for _ in range(3):
        assert await cache.read(key, 60, load) == Cached(b"value", Source.BYPASS)
    assert await cache.read(key, 60, Loader(None)) is None
    await cache.replace(key, b"value", 60)
    assert cache.counts.errors == 5
    await redis_link.mend()
    assert await cache.read(key, 60, load) == Cached(b"value", Source.HIT)
    assert [event["event"] for event in logged] == [
        "Cache does not answer; reading past it",
        "Cache answers again",
    ]


async def test_a_redis_that_hangs_costs_a_read_little(cache: Cache, key: str, redis_link: Link) -> None:
    await cache.ping()
    redis_link.stall()
    started = time.perf_counter()
    assert await cache.read(key, 60, Loader(b"value")) == Cached(b"value", Source.BYPASS)
    assert time.perf_counter() - started < 1
    redis_link.flow()


async def test_a_ping_tells_whether_redis_answers(cache: Cache, redis_link: Link) -> None:
    await cache.ping()
    await redis_link.cut()
    with pytest.raises(CacheUnavailableError):
        await cache.ping()


async def test_a_refused_password_is_a_cache_that_does_not_answer(redis_link: Link, key: str) -> None:
    scheme, _, rest = redis_link.url.partition("://")
    cache = Cache(f"{scheme}://nobody:wrong@{rest.rpartition('@')[2]}")
    assert await cache.read(key, 60, Loader(b"value")) == Cached(b"value", Source.BYPASS)
    with pytest.raises(CacheUnavailableError):
        await cache.ping()
    await cache.close()
