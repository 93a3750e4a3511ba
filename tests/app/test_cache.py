import asyncio
import contextlib
import gc
import random
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from link import Link
from medianest import cache as cache_module
from medianest.cache import Cache, Cached, CacheFigures, CacheUnavailableError, Source

# What a dead Redis may cost a request, in seconds.
MOST = 0.1


@pytest.fixture(scope="module", params=["uvloop", pytest.param("asyncio", marks=pytest.mark.slow)])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


class Loader:
    """What is behind the cache, and how often it was asked."""

    def __init__(self, value: bytes | None) -> None:
        self.value = value
        self.asked = 0

    async def __call__(self) -> bytes | None:
        self.asked += 1
        return self.value


async def hundredfold(seconds: float) -> None:
    await asyncio.sleep(seconds / 100)


@pytest.fixture
async def cache(redis_link: Link) -> AsyncIterator[Cache]:
    """With patience enough for a machine that is busy with other things."""
    cache = Cache(redis_link.url, patience=2, sleep=hundredfold)
    yield cache
    await cache.close()


@pytest.fixture
async def impatient(redis_link: Link) -> AsyncIterator[Cache]:
    """As a backend has it."""
    cache = Cache(redis_link.url, sleep=hundredfold)
    yield cache
    await cache.close()


@pytest.fixture
async def server(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """Redis itself, past the link."""
    async with redis.asyncio.Redis.from_url(redis_url, protocol=2) as server:
        yield server


@pytest.fixture
def key() -> str:
    return f"test:{secrets.token_hex(8)}"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def back(cache: Cache) -> None:
    await until(lambda: cache.figures().answers)


async def took(work: Awaitable[Any]) -> float:
    started = time.perf_counter()
    await work
    return time.perf_counter() - started


async def cost(work: Awaitable[Any]) -> float:
    """Seconds that work takes on a machine that is busy with nothing else: compared with a clock that
    is held up by the same things."""
    taken, bare = await asyncio.gather(took(work), took(asyncio.sleep(MOST)))
    return taken - (bare - MOST)


async def clients_of(server: redis.asyncio.Redis) -> int:
    return int((await server.info("clients"))["connected_clients"])


def counts(cache: Cache) -> tuple[int, int, int]:
    figures = cache.figures()
    return figures.hits, figures.misses, figures.bypassed


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def test_nothing_is_connected_before_the_first_use(redis_link: Link) -> None:
    cache = Cache(redis_link.url, patience=2)
    assert redis_link.accepted == 0
    await cache.ping()
    assert redis_link.accepted == 1
    await cache.close()


async def test_a_value_is_loaded_once_and_then_kept(cache: Cache, key: str) -> None:
    load = Loader(b"value")
    assert await cache.read(key, 60, load) == Cached(b"value", Source.MISS)
    assert await cache.read(key, 60, load) == Cached(b"value", Source.HIT)
    assert load.asked == 1
    assert cache.figures() == CacheFigures(
        answers=True, connections=1, hits=1, misses=1, bypassed=0, errors=0, loads=1, outages=0
    )


async def test_a_value_that_is_not_there_is_not_kept(cache: Cache, key: str) -> None:
    load = Loader(None)
    assert await cache.read(key, 60, load) is None
    load.value = b"now there is one"
    assert await cache.read(key, 60, load) == Cached(b"now there is one", Source.MISS)


async def test_a_value_expires(cache: Cache, key: str) -> None:
    load = Loader(b"value")
    await cache.read(key, 1, load)
    await asyncio.sleep(1.2)
    assert await cache.read(key, 1, load) == Cached(b"value", Source.MISS)


async def test_a_changed_value_takes_the_place_of_the_cached_one(cache: Cache, key: str) -> None:
    await cache.read(key, 60, Loader(b"old"))
    await cache.replace(key, b"new", 60)
    assert await cache.read(key, 60, Loader(b"old")) == Cached(b"new", Source.HIT)


async def test_a_forgotten_value_is_loaded_again(cache: Cache, key: str) -> None:
    await cache.read(key, 60, Loader(b"old"))
    await cache.forget([key])
    await cache.forget([])
    assert await cache.read(key, 60, Loader(b"new")) == Cached(b"new", Source.MISS)


async def test_a_slow_reader_does_not_bring_an_old_value_back(cache: Cache, key: str) -> None:
    async def load_while_it_changes() -> bytes:
        await cache.replace(key, b"new", 60)
        return b"old"

    assert await cache.read(key, 60, load_while_it_changes) == Cached(b"old", Source.MISS)
    assert await cache.read(key, 60, Loader(b"old")) == Cached(b"new", Source.HIT)


async def test_a_slow_reader_of_another_process_does_not_either(
    cache: Cache, key: str, redis_url: str
) -> None:
    other = Cache(redis_url, patience=2)

    async def load_while_it_changes() -> bytes:
        await other.replace(key, b"new", 60)
        return b"old"

    await cache.read(key, 60, load_while_it_changes)
    assert await cache.read(key, 60, Loader(b"old")) == Cached(b"new", Source.HIT)
    await other.close()


async def test_who_reads_after_a_change_does_not_get_what_was_loaded_before_it(
    redis_link: Link, key: str
) -> None:
    cache = Cache(redis_link.url)
    await redis_link.cut()
    await cache.read(key, 60, Loader(b""))
    finish = asyncio.Event()

    async def load_slowly() -> bytes:
        await finish.wait()
        return b"old"

    before = asyncio.create_task(cache.read(key, 60, load_slowly))
    await asyncio.sleep(0.01)
    await cache.replace(key, b"new", 60)
    assert await cache.read(key, 60, Loader(b"new")) == Cached(b"new", Source.BYPASS)
    finish.set()
    assert await before == Cached(b"old", Source.BYPASS)
    await cache.close()


@pytest.mark.parametrize("redis_is_there", [True, False])
async def test_two_hundred_simultaneous_readers_cause_one_load(
    cache: Cache, key: str, redis_link: Link, redis_is_there: bool
) -> None:
    if not redis_is_there:
        await redis_link.cut()
    loads = 0

    async def load() -> bytes:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0.2)
        return b"value"

    found = await asyncio.gather(*(cache.read(key, 60, load) for _ in range(200)))
    source = Source.MISS if redis_is_there else Source.BYPASS
    assert found == [Cached(b"value", source)] * 200
    assert loads == 1
    assert counts(cache) == ((0, 200, 0) if redis_is_there else (0, 0, 200))


async def test_a_failing_load_is_not_kept_and_everyone_gets_its_error(cache: Cache, key: str) -> None:
    async def fail() -> bytes:
        await asyncio.sleep(0.02)
        raise LookupError("gone")

    reads = [cache.read(key, 60, fail) for _ in range(20)]
    found = await asyncio.gather(*reads, return_exceptions=True)
    assert [repr(error) for error in found] == ["LookupError('gone')"] * 20
    assert await cache.read(key, 60, Loader(b"value")) == Cached(b"value", Source.MISS)


async def test_without_redis_values_are_read_past_the_cache(
    cache: Cache, key: str, redis_link: Link, logged: list[dict[str, Any]]
) -> None:
    load = Loader(b"value")
    await cache.read(key, 60, load)
    await cache.ping()
    await redis_link.cut()
    for _ in range(3):
        assert await cache.read(key, 60, load) == Cached(b"value", Source.BYPASS)
    assert await cache.read(key, 60, Loader(None)) is None
    assert counts(cache) == (0, 1, 4)
    assert cache.figures().errors == 1
    await redis_link.mend()
    await back(cache)
    assert await cache.read(key, 60, load) == Cached(b"value", Source.HIT)
    assert [event["event"] for event in logged if event["log_level"] != "debug"] == [
        "Service does not answer; going on without it",
        "Service answers again",
    ]


async def test_what_changed_while_redis_was_down_is_not_read_from_it_afterwards(
    cache: Cache, key: str, redis_link: Link
) -> None:
    await cache.replace(key, b"old", 60)
    await redis_link.cut()
    await cache.replace(key, b"new", 60)
    await redis_link.mend()
    await back(cache)
    assert await cache.read(key, 60, Loader(b"new")) == Cached(b"new", Source.MISS)


async def test_what_is_remembered_of_an_outage_is_bounded(
    cache: Cache, redis_link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "MOST_OUTDATED", 100)
    await redis_link.cut()
    for number in range(1000):
        await cache.replace(f"test:{number}", b"value", 1)
    assert len(cache._outdated) == 100
    await redis_link.mend()
    await back(cache)
    assert cache._outdated == set()


async def test_a_connection_that_broke_while_idle_is_no_outage(
    cache: Cache, key: str, redis_link: Link, logged: list[dict[str, Any]]
) -> None:
    await cache.replace(key, b"value", 60)
    for _ in range(20):
        await redis_link.cut()
        await redis_link.mend()
        assert await cache.read(key, 60, Loader(b"other")) == Cached(b"value", Source.HIT)
    assert cache.figures().errors == 0
    assert logged == []


async def test_a_connection_that_is_closed_underneath_is_no_outage(cache: Cache, key: str) -> None:
    await cache.replace(key, b"value", 60)
    (connection,) = cache._redis._pool._available_connections
    assert connection._writer is not None
    connection._writer.transport.abort()
    assert await cache.read(key, 60, Loader(b"other")) == Cached(b"value", Source.HIT)
    assert cache.figures().errors == 0


async def test_an_answer_that_breaks_off_is_asked_for_again(cache: Cache, key: str, redis_link: Link) -> None:
    await cache.replace(key, b"value", 60)
    for _ in range(20):
        redis_link.stall()
        reading = asyncio.create_task(cache.read(key, 60, Loader(b"other")))
        await asyncio.sleep(0.005)
        await redis_link.cut()
        await redis_link.mend()
        found = await reading
        assert found is not None
        assert found.source in (Source.HIT, Source.BYPASS)
        await back(cache)
    assert cache.figures().hits >= 10


@asynccontextmanager
async def dead(link: Link, kind: str) -> AsyncIterator[str]:
    """The URL of a Redis that is dead in some way, for as long as the block lasts."""
    if kind == "refuses":
        await link.cut()
        yield link.url
        await link.mend()
    elif kind == "stalls":
        link.stall()
        yield link.url
        link.flow()
    elif kind == "wrong password":
        scheme, _, rest = link.url.partition("://")
        yield f"{scheme}://nobody:wrong@{rest.rpartition('@')[2]}"
    elif kind == "accepts nobody":
        # A listening socket whose queue is full drops whoever comes next.
        with socket.socket() as listening, socket.socket() as one, socket.socket() as two:
            listening.bind(("127.0.0.1", 0))
            listening.listen(0)
            for waiting in (one, two):
                waiting.setblocking(False)
                waiting.connect_ex(listening.getsockname())
            yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0"
    else:
        answer = {"loads": b"-LOADING loading the dataset in memory\r\n", "babbles": b"*1\r\n?\r\n"}[kind]

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while await reader.read(65536):
                    writer.write(answer * 3)
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"


KINDS = ["refuses", "stalls", "wrong password", "accepts nobody", "loads", "babbles"]


# Costs are the best of three: other work on this machine takes time too.
@pytest.mark.parametrize("kind", KINDS)
async def test_a_dead_redis_costs_a_request_little(redis_link: Link, key: str, kind: str) -> None:
    async with dead(redis_link, kind) as url:
        costs = []
        for _ in range(3):
            cache = Cache(url)
            costs.append(await cost(cache.read(key, 60, Loader(b"value"))))
            assert not cache.figures().answers
            assert cache.figures().errors == 1
            await cache.close()
        assert min(costs) < MOST


@pytest.mark.parametrize("kind", KINDS)
async def test_a_redis_that_is_known_to_be_dead_costs_nothing(redis_link: Link, key: str, kind: str) -> None:
    async with dead(redis_link, kind) as url:
        cache = Cache(url)
        await cache.read(key, 60, Loader(b"value"))
        started = time.perf_counter()
        for _ in range(50):
            await cache.read(key, 60, Loader(b"value"))
            await cache.replace(key, b"value", 60)
            assert await cache.count([key], 60) is None
            assert await cache.counts_of([key]) is None
            await cache.forget([key])
        assert time.perf_counter() - started < 250 * MOST / 20
        with pytest.raises(CacheUnavailableError):
            await cache.ping()
        assert cache.figures().errors == 1
        await cache.close()


@pytest.mark.parametrize("kind", ["refuses", "stalls", "accepts nobody"])
async def test_a_redis_that_dies_costs_each_of_many_who_wait_little(
    redis_link: Link, key: str, kind: str
) -> None:
    async with dead(redis_link, kind) as url:
        longest = []
        for _ in range(5):
            cache = Cache(url)
            reads = [cost(cache.read(f"{key}:{number}", 60, Loader(b"value"))) for number in range(100)]
            longest.append(max(await asyncio.gather(*reads)))
            assert counts(cache) == (0, 0, 100)
            await cache.close()
        assert min(longest) < MOST


async def test_keeping_what_was_loaded_keeps_nobody_waiting(cache: Cache, key: str, redis_link: Link) -> None:
    async def load_while_redis_dies() -> bytes:
        redis_link.stall()
        return b"value"

    async with asyncio.timeout(1):
        assert await cache.read(key, 60, load_while_redis_dies) == Cached(b"value", Source.MISS)
    redis_link.flow()
    assert await cache.read(key, 60, Loader(b"other")) == Cached(b"value", Source.HIT)


async def test_a_redis_that_comes_back_loading_is_read_past_until_it_is_ready(
    redis_link: Link, key: str
) -> None:
    async with dead(redis_link, "loads") as url:
        cache = Cache(url, sleep=hundredfold)
        await cache.read(key, 60, Loader(b"value"))
        await asyncio.sleep(0.2)
        assert not cache.figures().answers
        assert cache.figures().outages == 1
        await cache.close()


async def test_a_ping_tells_whether_redis_answers(cache: Cache, redis_link: Link) -> None:
    await cache.ping()
    await redis_link.cut()
    with pytest.raises(CacheUnavailableError):
        await cache.ping()


async def test_a_full_redis_keeps_nothing_old_in_place_of_what_changed(
    cache: Cache, key: str, server: redis.asyncio.Redis
) -> None:
    await cache.replace(key, b"old", 60)
    await server.config_set("maxmemory", 1)
    try:
        await cache.replace(key, b"new", 60)
        assert await cache.read(key, 60, Loader(b"new")) == Cached(b"new", Source.MISS)
        assert await cache.count([key], 60) is None
    finally:
        await server.config_set("maxmemory", 0)
    assert cache.figures().answers
    assert cache.figures().errors == 3
    assert await cache.read(key, 60, Loader(b"new")) == Cached(b"new", Source.MISS)


async def test_a_read_that_redis_refuses_is_no_outage(
    cache: Cache, key: str, server: redis.asyncio.Redis, redis_link: Link
) -> None:
    user = secrets.token_hex(8)
    await server.acl_setuser(user, enabled=True, nopass=True, commands=["+ping", "+client"])
    scheme, _, rest = redis_link.url.partition("://")
    limited = Cache(f"{scheme}://{user}:any@{rest.rpartition('@')[2]}", patience=2)
    try:
        await limited.ping()
        assert await limited.read(key, 60, Loader(b"value")) == Cached(b"value", Source.BYPASS)
        assert await limited.counts_of([key]) is None
        await limited.replace(key, b"value", 60)
        assert limited.figures().answers
    finally:
        await limited.close()
        await server.acl_deluser(user)


async def test_counters_count_and_end(cache: Cache, key: str, server: redis.asyncio.Redis) -> None:
    keys = [f"{key}:account", f"{key}:address"]
    assert await cache.counts_of(keys) == [0, 0]
    assert await cache.count(keys, 100) == [1, 1]
    assert await cache.count(keys[:1], 10_000) == [2]
    assert await cache.counts_of(keys) == [2, 1]
    # Counted from the first: whoever goes on trying does not put the end off.
    assert 90 < await server.ttl(keys[0]) <= 100
    await cache.forget(keys)
    assert await cache.counts_of(keys) == [0, 0]
    assert (await cache.count([], 1), await cache.counts_of([])) == ([], [])


async def test_counters_lose_nothing_when_many_count_at_once(cache: Cache, key: str) -> None:
    counted = await asyncio.gather(*(cache.count([key], 60) for _ in range(500)))
    assert sorted(count[0] for count in counted if count) == list(range(1, 501))


async def test_a_key_of_half_a_character_harms_nobody(cache: Cache, key: str) -> None:
    odd = f"{key}\ud800"
    reads = [cache.read(odd, 60, Loader(b"odd")), cache.read(key, 60, Loader(b"even"))]
    assert await asyncio.gather(*reads) == [Cached(b"odd", Source.MISS), Cached(b"even", Source.MISS)]
    assert await cache.count([f"{odd}:count"], 60) == [1]


async def test_readers_cancelled_at_random_get_and_give_nobody_elses_answer(
    cache: Cache, key: str, server: redis.asyncio.Redis
) -> None:
    dice = random.Random(20260101)
    values = {f"{key}:{number}": f"value {number}".encode() * 50 for number in range(50)}
    for name, value in values.items():
        await cache.replace(name, value, 60)

    async def read(name: str) -> None:
        found = await cache.read(name, 60, Loader(values[name]))
        assert found is not None
        assert found.value == values[name]

    async def count(name: str) -> None:
        assert await cache.count([f"{name}:count"], 60)

    async def disturb() -> None:
        work = dice.choice([read, read, read, count])(dice.choice(list(values)))
        task = asyncio.create_task(work)
        if dice.random() < 0.5:
            for _ in range(dice.randrange(8)):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            task.result()

    for _ in range(60):
        await asyncio.gather(*(disturb() for _ in range(50)))
    assert cache.figures().errors == 0
    assert cache.figures().connections <= 4
    for name in values:
        await read(name)


async def test_thousands_of_operations_leave_memory_and_connections_as_they_were(
    cache: Cache, key: str, redis_link: Link
) -> None:
    async def work(number: int) -> None:
        name = f"{key}:{number % 100}"
        value = f"{number % 100}".encode() * 100
        found = await cache.read(name, 60, Loader(value))
        assert found is not None
        assert found.value == value
        if number % 10 == 0:
            await cache.replace(name, value, 60)

    async def many(times: int) -> None:
        for start in range(0, times, 50):
            await asyncio.gather(*(work(number) for number in range(start, start + 50)))

    await many(3000)
    before = resident_bytes()
    await many(10_000)
    assert resident_bytes() < before * 1.05
    assert redis_link.accepted <= 4
    assert cache.figures().hits > 12_000


async def test_outages_leave_memory_connections_and_tasks_as_they_were(
    impatient: Cache, key: str, redis_link: Link, server: redis.asyncio.Redis
) -> None:
    clients, tasks = await clients_of(server), len(asyncio.all_tasks())
    for _ in range(15):
        redis_link.stall()
        await asyncio.gather(*(impatient.read(f"{key}:{n}", 60, Loader(b"value")) for n in range(20)))
        await redis_link.cut()
        await redis_link.mend()
        await back(impatient)
    assert impatient.figures().connections <= 4
    await impatient.close()
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    async with asyncio.timeout(5):
        while await clients_of(server) > clients:
            await asyncio.sleep(0.01)


async def test_closing_leaves_no_connection_and_fails_nobody(
    cache: Cache, key: str, redis_link: Link
) -> None:
    await cache.replace(key, b"value", 60)
    redis_link.stall()
    reading = asyncio.create_task(cache.read(key, 60, Loader(b"loaded")))
    await asyncio.sleep(0.005)
    await cache.close()
    assert await reading == Cached(b"loaded", Source.BYPASS)
    assert await cache.read(key, 60, Loader(b"loaded")) == Cached(b"loaded", Source.BYPASS)
    redis_link.flow()
    await until(lambda: len(redis_link._writers) == 0)
    assert cache.figures() == replace(cache.figures(), answers=False, connections=0)


async def test_closing_in_the_midst_of_a_load_ends_it(cache: Cache, key: str) -> None:
    async def load() -> bytes:
        await asyncio.Event().wait()
        return b""

    reading = asyncio.create_task(cache.read(key, 60, load))
    await until(lambda: cache.figures().loads == 1)
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await reading
