"""How many wrong passwords are borne before a login has to wait."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

import structlog
from starlette.types import Scope

from medianest.cache import Cache
from medianest.windows import Windows

_FAMILIAR_SECONDS = 30 * 24 * 3600
_MOST_KNOWN = 10_000


class TooManyAttemptsError(Exception):
    """Try again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__("Too many failed logins: try again later")


@dataclass(frozen=True)
class LimitFigures:
    """Since the start: attempts refused, and attempts for which Redis had no answer."""

    refused: int
    without_redis: int


@dataclass
class Attempt:
    """One login: the keys that its failures count under, and what Redis said when it began."""

    account: str
    address: str
    pair: str
    familiar: bool = False
    failures: int = 0
    redis_answers: bool = True

    @property
    def counted(self) -> str:
        """The key of the account's failures: strangers' are apart from those at a familiar address."""
        return self.pair if self.familiar else self.account


class LoginLimits:
    """Failed attempts by account and by address within `seconds`, counted in Redis for all replicas
    together and in this process as well; the stricter count decides. Keys are hashes under `secret`
    and tell no names.

    Without Redis each replica counts for itself: an attacker then has more attempts, by as many times as
    there are replicas, and no owner is shut out by an outage. Redis gets `patience` seconds of a login
    in all, since after one failure it is not asked again.

    A limit by account shuts its owner out together with whoever guesses at it. So it ends `seconds`
    after the first failure, whatever is tried meanwhile; and an address from which the account's
    password was right once, in the last 30 days, has a count of its own, which strangers elsewhere
    cannot use up. What is left: an owner at a new address, or behind the same address as the guesser,
    may have to wait, for up to `seconds` at a time.
    """

    def __init__(
        self,
        cache: Cache,
        secret: str,
        *,
        account: int = 10,
        address: int = 50,
        seconds: int = 300,
        patience: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._secret = secret.encode()
        self._account = account
        self._address = address
        self._seconds = seconds
        self._patience = patience
        self._failures = Windows(_MOST_KNOWN, clock)
        self._familiar = Windows(_MOST_KNOWN, clock)
        self._refused = 0
        self._without_redis = 0
        self._answers = True
        self._log = structlog.get_logger(component="login_limits")

    async def begin(self, username: str, address: str) -> Attempt:
        """Raises TooManyAttemptsError, at the same price whether or not there is such an account."""
        attempt = Attempt(
            account=self._key("account", username),
            address=self._key("address", address),
            pair=self._key("pair", f"{username}\n{address}"),
        )
        attempt.familiar = self._familiar.look(attempt.pair)[0] > 0
        self.check(attempt)
        keys = [attempt.account, attempt.pair, attempt.address, _familiar(attempt.pair)]
        counts = await self._ask(attempt, lambda: self._cache.counts_of(keys))
        if counts is not None:
            seen = dict(zip(keys, counts, strict=True))
            attempt.familiar = attempt.familiar or seen[_familiar(attempt.pair)] > 0
            attempt.failures = seen[attempt.counted]
            if attempt.failures >= self._account or seen[attempt.address] >= self._address:
                # When the others' window ends is not known here: at the latest then.
                self._refuse(self._seconds)
        return attempt

    def check(self, attempt: Attempt) -> None:
        """Once more, at once and without Redis: others may have failed while this one waited for its
        turn. Raises TooManyAttemptsError."""
        failures, wait = self._failures.look(attempt.counted)
        if failures >= self._account:
            self._refuse(wait)
        failures, wait = self._failures.look(attempt.address)
        if failures >= self._address:
            self._refuse(wait)

    async def failed(self, attempt: Attempt) -> None:
        """The password was wrong."""
        keys = [attempt.counted, attempt.address]
        for key in keys:
            self._failures.add(key, self._seconds)
        await self._ask(attempt, lambda: self._cache.count(keys, self._seconds))

    async def succeeded(self, attempt: Attempt) -> None:
        """The password was right: the account's count begins anew, and the address is familiar."""
        self._failures.remove(attempt.counted)
        if not self._familiar.look(attempt.pair)[0]:
            self._familiar.add(attempt.pair, _FAMILIAR_SECONDS)
        if not attempt.familiar:
            marker = [_familiar(attempt.pair)]
            await self._ask(attempt, lambda: self._cache.count(marker, _FAMILIAR_SECONDS))
        if attempt.failures and attempt.redis_answers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await self._cache.forget([attempt.counted])

    def figures(self) -> LimitFigures:
        """For metrics and the health document."""
        return LimitFigures(self._refused, self._without_redis)

    def _refuse(self, seconds: float) -> NoReturn:
        self._refused += 1
        raise TooManyAttemptsError(max(1, math.ceil(seconds)))

    async def _ask(
        self, attempt: Attempt, question: Callable[[], Awaitable[list[int] | None]]
    ) -> list[int] | None:
        if not attempt.redis_answers:
            return None
        counts = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                counts = await question()
        if counts is None:
            attempt.redis_answers = False
            self._without_redis += 1
        if self._answers != attempt.redis_answers:
            self._answers = attempt.redis_answers
            if self._answers:
                self._log.info("Redis counts logins again", without_redis=self._without_redis)
            else:
                self._log.warning("Redis does not count logins; each replica does")
        return counts

    def _key(self, kind: str, name: str) -> str:
        # The secret signs tokens too; the words before the name keep the two uses apart.
        text = f"medianest login {kind}\n{name}".encode("utf-8", "surrogatepass")
        return f"login:1:{kind}:{hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:32]}"


def client_address(scope: Scope) -> str:
    """Whose attempts are counted together: the last address of `X-Forwarded-For`, which the gateway
    sets itself and clients cannot, else the peer; of IPv6 the network (/64) that one customer has."""
    forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    peer = (scope.get("client") or ("", 0))[0]
    text = forwarded[-1].decode("latin-1").rpartition(",")[2].strip() if forwarded else peer
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return str(peer)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _familiar(pair: str) -> str:
    return f"{pair}:familiar"
