"""Redis as a cache: faster when it is there, and no harm when it is not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast
from urllib.parse import urlsplit

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from medianest.secrets_validator import looks_like_placeholder


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


@dataclass
class CacheCounts:
    """Since the start of the process."""

    hits: int = 0
    misses: int = 0
    errors: int = 0


class CacheUnavailableError(Exception):
    """Redis did not answer in time, or not as it should."""


class Cache:
    """Connects on first use. `patience` bounds connecting and each command, in seconds."""

    def __init__(self, url: str, *, patience: float = 0.5, connections: int = 20) -> None:
        self.counts = CacheCounts()
        self._answers = True
        self._log = structlog.get_logger(component="cache")
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=patience,
            socket_connect_timeout=patience,
            socket_timeout=patience,
            socket_keepalive=True,
            # A cached read is not worth a second try; the next request makes it.
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._redis = Redis.from_pool(pool)

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def read(
        self, key: str, seconds: int, load: Callable[[], Awaitable[bytes | None]]
    ) -> Cached | None:
        """The value of `key`, from Redis or else from `load`; None when `load` has none.

        A loaded value is kept for `seconds`, unless a newer one has been put there by `replace`
        meanwhile. Raises what `load` raises.
        """
        try:
            value = cast("bytes | None", await self._redis.get(key))
        except (RedisError, OSError) as error:
            self._failed(error)
            loaded = await load()
            return None if loaded is None else Cached(loaded, Source.BYPASS)
        self._answered()
        if value is not None:
            self.counts.hits += 1
            return Cached(value, Source.HIT)
        self.counts.misses += 1
        loaded = await load()
        if loaded is None:
            return None
        await self._store(key, loaded, seconds, only_if_absent=True)
        return Cached(loaded, Source.MISS)

    async def replace(self, key: str, value: bytes, seconds: int) -> None:
        """Put a changed value in place of a cached one. If Redis is down, readers may see the former
        value until it expires."""
        await self._store(key, value, seconds, only_if_absent=False)

    async def count(self, keys: Sequence[str], seconds: int) -> list[int] | None:
        """Add one to each counter; a new one ends `seconds` later. None when Redis does not answer.

        All of them or none, in one round trip.
        """
        try:
            async with self._redis.pipeline(transaction=True) as pipeline:
                for key in keys:
                    pipeline.incr(key)
                    pipeline.expire(key, seconds, nx=True)
                return [int(count) for count in (await pipeline.execute())[::2]]
        except (RedisError, OSError) as error:
            self._failed(error)
            return None

    async def counts_of(self, keys: Sequence[str]) -> list[int] | None:
        """The counters as they stand, 0 for one that is not there. None when Redis does not answer."""
        try:
            return [int(count or 0) for count in await self._redis.mget(keys)]
        except (RedisError, OSError) as error:
            self._failed(error)
            return None

    async def forget(self, keys: Sequence[str]) -> None:
        """Remove keys: values or counters."""
        try:
            await self._redis.unlink(*keys)
        except (RedisError, OSError) as error:
            self._failed(error)

    async def ping(self) -> None:
        """Raises CacheUnavailableError."""
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            raise CacheUnavailableError(type(error).__name__) from error

    async def _store(self, key: str, value: bytes, seconds: int, *, only_if_absent: bool) -> None:
        try:
            await self._redis.set(key, value, ex=seconds, nx=only_if_absent)
        except (RedisError, OSError) as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.counts.errors += 1
        if self._answers:
            self._answers = False
            self._log.warning("Cache does not answer; reading past it", error=type(error).__name__)

    def _answered(self) -> None:
        if not self._answers:
            self._answers = True
            self._log.info("Cache answers again", errors=self.counts.errors)


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
