"""How many wrong passwords are borne before a login has to wait."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.types import Scope

from medianest.cache import Cache, CacheUnavailableError
from medianest.windows import Windows

_FAMILIAR_SECONDS = 30 * 24 * 3600
_MOST_KNOWN = 10_000


class TooManyAttemptsError(Exception):
    """Try again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__("Too many failed logins: try again later")


@dataclass(frozen=True)
class Limit:
    """So many failed attempts within so many seconds, from the first of them on."""

    attempts: int
    seconds: int


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


class LoginLimits:
    """Failed attempts by account and by address, counted in Redis for all replicas together and in this
    process as well; the stricter count decides. Keys are hashes under `secret` and tell no names.

    Without Redis each replica counts for itself: an attacker then has more attempts, by as many times as
    there are replicas, and no owner is shut out by an outage. Redis gets `patience` seconds of a login
    in all, since after one failure it is not asked again.

    A limit by account shuts its owner out together with whoever guesses at it. So it ends `seconds`
    after the first failure, whatever is tried meanwhile; and an address from which the account's
    password was right once, in the last 30 days, has a count of its own, which strangers elsewhere
    cannot use up. What is left: an owner at a new address, or behind the same address as the guesser,
    may have to wait, for up to `account.seconds` at a time.
    """

    def __init__(
        self,
        cache: Cache,
        secret: str,
        *,
        account: Limit = Limit(10, 300),
        address: Limit = Limit(50, 300),
        patience: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._secret = secret.encode()
        self._account = account
        self._address = address
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
        keys = [attempt.account, attempt.pair, attempt.address]
        answers = await self._ask(
            attempt,
            ("EXISTS", _familiar(attempt.pair)),
            *(("GET", key) for key in keys),
            *(("TTL", key) for key in keys),
        )
        if answers is not None:
            attempt.familiar = attempt.familiar or bool(answers[0])
            counts = [int(count or 0) for count in answers[1:4]]
            seen = dict(zip(keys, zip(counts, answers[4:7], strict=True), strict=True))
            attempt.failures = seen[self._counted(attempt)][0]
            self._refuse_above(attempt, seen)
        return attempt

    def check(self, attempt: Attempt) -> None:
        """Once more, at once and without Redis: others may have failed while this one waited for its
        turn. Raises TooManyAttemptsError."""
        keys = (self._counted(attempt), attempt.address)
        self._refuse_above(attempt, {key: self._failures.look(key) for key in keys})

    async def failed(self, attempt: Attempt) -> None:
        """The password was wrong."""
        counted = ((self._counted(attempt), self._account), (attempt.address, self._address))
        for key, limit in counted:
            self._failures.add(key, limit.seconds)
        await self._ask(
            attempt,
            *(("INCR", key) for key, _ in counted),
            *(("EXPIRE", key, limit.seconds, "NX") for key, limit in counted),
        )

    async def succeeded(self, attempt: Attempt) -> None:
        """The password was right: the account's count begins anew, and the address is familiar."""
        counted = self._counted(attempt)
        self._failures.remove(counted)
        if not self._familiar.look(attempt.pair)[0]:
            self._familiar.add(attempt.pair, _FAMILIAR_SECONDS)
        if attempt.failures or not attempt.familiar:
            await self._ask(
                attempt, ("DEL", counted), ("SET", _familiar(attempt.pair), 1, "EX", _FAMILIAR_SECONDS)
            )

    def figures(self) -> LimitFigures:
        """For metrics and the health document."""
        return LimitFigures(self._refused, self._without_redis)

    def _counted(self, attempt: Attempt) -> str:
        return attempt.pair if attempt.familiar else attempt.account

    def _refuse_above(self, attempt: Attempt, seen: Mapping[str, tuple[int, float]]) -> None:
        limits = ((self._counted(attempt), self._account), (attempt.address, self._address))
        waits = [seen[key][1] for key, limit in limits if seen[key][0] >= limit.attempts]
        if waits:
            self._refused += 1
            raise TooManyAttemptsError(max(1, math.ceil(max(waits))))

    async def _ask(self, attempt: Attempt, *commands: tuple[str | int, ...]) -> list[Any] | None:
        if not attempt.redis_answers:
            return None
        try:
            async with asyncio.timeout(self._patience):
                answers = await self._cache.transaction(*commands)
        except (CacheUnavailableError, TimeoutError) as error:
            attempt.redis_answers = False
            self._without_redis += 1
            if self._answers:
                self._answers = False
                self._log.warning(
                    "Redis does not count logins; each replica does", error=type(error).__name__
                )
            return None
        if not self._answers:
            self._answers = True
            self._log.info("Redis counts logins again", without_redis=self._without_redis)
        return answers

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
