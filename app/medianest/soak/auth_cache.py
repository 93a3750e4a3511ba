"""The check `auth-cache`: logins succeed and reads come out of the cache, at a constant rate."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence

from medianest.soak.load import Tally, most_common, steady
from medianest.soak.protocol import Figure, share
from medianest.soak.target import Target
from medianest.soak.user import User

LEAST_SUCCESS, LEAST_HITS = 99.9, 95.0
# A login costs the backend tens of milliseconds of one core, on purpose: more would measure that.
LOGINS, READS, WRITES = 5, 100, 2


class AuthCache:
    """Logins, reads and writes of one user through the gateway."""

    def __init__(self, target: Target) -> None:
        self._user = User(target)
        self._logins, self._reads, self._writes = Tally(), Tally(), Tally()
        self._sources: Counter[str] = Counter()

    async def prepare(self) -> None:
        await self._user.prepare()

    def loads(self, stop: asyncio.Event) -> Sequence[Coroutine[None, None, None]]:
        return [
            steady(LOGINS, 2, self._log_in, stop),
            steady(READS, 10, self._read, stop),
            steady(WRITES, 1, self._write, stop),
        ]

    async def finish(self, _stop: asyncio.Event) -> None:
        """Nothing is waited for."""

    async def close(self) -> None:
        await self._user.close()

    def figures(self) -> list[Figure]:
        hits, reads = self._sources["hit"], self._reads.succeeded
        sent, good = self._reads.total + self._writes.total, reads + self._writes.succeeded
        errors = ", ".join(filter(None, [self._reads.note, self._writes.note]))
        return [
            share(
                "logins that succeed",
                self._logins.succeeded,
                self._logins.total,
                LEAST_SUCCESS,
                self._logins.note,
            ),
            share("cache hit ratio", hits, reads, LEAST_HITS, most_common(self._sources)),
            share("reads and writes that succeed", good, sent, LEAST_SUCCESS, errors),
            Figure("logins", self._logins.total),
            Figure("reads", self._reads.total),
            Figure("writes", self._writes.total),
            Figure("errors", self._logins.failed + self._reads.failed + self._writes.failed),
            Figure("login, p99", self._logins.latencies.milliseconds(0.99), "ms"),
            Figure("read, p99", self._reads.latencies.milliseconds(0.99), "ms"),
        ]

    async def _log_in(self) -> None:
        await self._logins.count(self._user.log_in(), 200)

    async def _read(self) -> None:
        answer = await self._reads.count(self._user.read(), 200)
        if answer is not None:
            self._sources[answer.headers.get("x-cache", "not told").lower()] += 1

    async def _write(self) -> None:
        await self._writes.count(self._user.write(), 200)
