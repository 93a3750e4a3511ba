"""Redis as a cache: faster when it is there, and no harm when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from urllib.parse import urlsplit

from medianest.redis_pipeline import Command, RedisDownError, RedisPipeline, Reply
from medianest.secrets_validator import looks_like_placeholder
from medianest.single_flight import SingleFlight

# What was changed while Redis was down is remembered, so that Redis forgets it when it is back. Up to
# so many keys; beyond them readers see former values until these expire.
MOST_OUTDATED = 10_000


class Source(StrEnum):
    """Where a value came from."""

    HIT = "hit"
    MISS = "miss"
    BYPASS = "bypass"
    """The cache did not answer; the value is good, only slower."""


@dataclass(frozen=True)
class Cached:
    """A value and where it came from."""

    value: bytes
    source: Source


@dataclass(frozen=True)
class CacheFigures:
    """Since the start of the process, but for `answers` and `connections`, which are of now.

    `hits`, `misses` and `bypassed` (past a Redis that did not answer, or is known not to) add up to
    the reads. `errors` counts what Redis was asked, by reads and otherwise, and did not answer as it
    should. `loads` counts how often a value was fetched from behind the cache. `outages` counts the
    failures that lasted longer than one request.
    """

    answers: bool
    connections: int
    hits: int
    misses: int
    bypassed: int
    errors: int
    loads: int
    outages: int


class CacheUnavailableError(Exception):
    """Redis did not answer in time, or not as it should."""


class Cache:
    """Connects on first use, and fails open: without Redis every read is served, only slower.

    `patience` is how long Redis may take for an answer, in seconds: what a dead one costs a request,
    which is to be 0.1 s at most. Once it is known to be down, it costs nothing.
    """

    def __init__(
        self,
        url: str,
        *,
        patience: float = 0.08,
        connections: int = 4,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._redis = RedisPipeline(
            url, patience=patience, connections=connections, prepare=self._forget_outdated, sleep=sleep
        )
        self._loads: SingleFlight[bytes | None] = SingleFlight()
        self._outdated: set[bytes] = set()
        self._hits = self._misses = self._bypassed = self._errors = 0

    async def close(self) -> None:
        """Stop what is being loaded, and close every connection."""
        await self._loads.close()
        await self._redis.close()

    def figures(self) -> CacheFigures:
        """For metrics and health."""
        return CacheFigures(
            answers=self._redis.answers,
            connections=self._redis.connections,
            hits=self._hits,
            misses=self._misses,
            bypassed=self._bypassed,
            errors=self._errors,
            loads=self._loads.started,
            outages=self._redis.reconnection.outages,
        )

    async def read(
        self, key: str, seconds: int, load: Callable[[], Awaitable[bytes | None]]
    ) -> Cached | None:
        """The value of `key`, from Redis or else from `load`; None when `load` has none.

        A loaded value is kept for `seconds`, unless a newer one has been put there by `replace`
        meanwhile. Who reads what is being loaded already, in this process, waits for that. Raises
        what `load` raises, which is not kept.
        """
        source = Source.BYPASS
        if self._redis.answers:
            try:
                value = await self._redis.read(_name(key))
            except RedisDownError:
                self._errors += 1
            else:
                if value is not None:
                    self._hits += 1
                    return Cached(value, Source.HIT)
                source = Source.MISS
        if source is Source.MISS:
            self._misses += 1
        else:
            self._bypassed += 1
        loaded = await self._loads.run(key, partial(self._load, key, seconds, load))
        return None if loaded is None else Cached(loaded, source)

    async def replace(self, key: str, value: bytes, seconds: int) -> None:
        """Put a changed value in place of a cached one.

        If Redis is down, other processes may see the former value until this one reaches Redis again
        and has it forgotten, or until it expires.
        """
        # Whoever reads from now on must not get what was being loaded before the change.
        self._loads.forget(key)
        name = _name(key)
        replies = await self._ask((b"SET", name, value, b"EX", seconds))
        if replies is None:
            self._remember_outdated([name])
        elif isinstance(replies[0], Exception):
            # At its limit of memory Redis keeps nothing new, but it forgets.
            await self.forget([key])

    async def forget(self, keys: Sequence[str]) -> None:
        """Remove keys: values or counters. If Redis is down, it is done when it is back."""
        for key in keys:
            self._loads.forget(key)
        names = [_name(key) for key in keys]
        if names and await self._ask((b"UNLINK", *names)) is None:
            self._remember_outdated(names)

    async def count(self, keys: Sequence[str], seconds: int) -> list[int] | None:
        """Add one to each counter; a new one ends `seconds` later. None when Redis does not answer.

        All of them or none, in one round trip. Counts twice if the connection breaks in the midst.
        """
        if not keys:
            return []
        steps: list[Command] = []
        for name in map(_name, keys):
            steps += [(b"INCR", name), (b"EXPIRE", name, seconds, b"NX")]
        replies = await self._ask((b"MULTI",), *steps, (b"EXEC",))
        results = None if replies is None else replies[-1]
        if not isinstance(results, list):
            return None
        counts = results[::2]
        return counts if all(isinstance(count, int) for count in counts) else None

    async def counts_of(self, keys: Sequence[str]) -> list[int] | None:
        """The counters as they stand, 0 for one that is not there. None when Redis does not answer."""
        if not keys:
            return []
        replies = await self._ask((b"MGET", *map(_name, keys)))
        if replies is None or not isinstance(replies[0], list):
            return None
        return [int(count or 0) for count in replies[0]]

    async def ping(self) -> None:
        """Raises CacheUnavailableError; at once while Redis is known to be down."""
        replies = await self._ask((b"PING",))
        if replies is None or isinstance(replies[0], Exception):
            raise CacheUnavailableError("Redis does not answer")

    async def _load(
        self, key: str, seconds: int, load: Callable[[], Awaitable[bytes | None]]
    ) -> bytes | None:
        loaded = await load()
        if loaded is not None and self._loads.current(key):
            # Nobody waits for it: in this process it is sent before any later read.
            self._send((b"SET", _name(key), loaded, b"EX", seconds, b"NX"))
        return loaded

    async def _ask(self, *commands: Command) -> list[Reply] | None:
        """The replies, with an exception for each command that was refused; None without an answer."""
        sent = self._send(*commands)
        if sent is None:
            return None
        try:
            return await sent
        except RedisDownError:
            return None

    def _send(self, *commands: Command) -> asyncio.Future[list[Reply]] | None:
        if not self._redis.answers:
            return None
        sent = self._redis.send(*commands)
        sent.add_done_callback(self._count_error)
        return sent

    def _count_error(self, sent: asyncio.Future[list[Reply]]) -> None:
        if sent.cancelled():
            return
        if sent.exception() or any(isinstance(reply, Exception) for reply in sent.result()):
            self._errors += 1

    def _remember_outdated(self, names: Sequence[bytes]) -> None:
        if len(self._outdated) < MOST_OUTDATED:
            self._outdated.update(names)

    async def _forget_outdated(self) -> None:
        """Part of the way back to Redis, before anybody reads from it. Raises RedisError or OSError."""
        while self._outdated:
            # What is changed meanwhile takes another turn.
            names, self._outdated = self._outdated, set()
            try:
                await self._redis.send_while_down((b"UNLINK", *names))
            except BaseException:
                self._outdated |= names
                raise


def _name(key: str) -> bytes:
    # A key may hold what a client sent, half a surrogate pair too.
    return key.encode("utf-8", "surrogatepass")


def problem_with_url(url: str) -> str | None:
    """What is wrong with REDIS_URL, without a word of what is in it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("redis", "rediss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        return "is not of the form redis://USER:PASSWORD@HOST:PORT/0"
    if looks_like_placeholder(parts.password or ""):
        return "has a placeholder as its password: set a random value"
    return None
