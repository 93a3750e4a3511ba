"""Tokens that are refused before they expire: after a logout, and those of a disabled user.

They are written to Postgres and held in the memory of every replica, so that refusing one asks nobody:
it goes on without Redis, and without Postgres too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

# As far as the clocks of two hosts may differ, in seconds.
CLOCK_DIFFERENCE = 5
LIFETIME = 24 * 3600
"""How long a token lives, in seconds."""


@dataclass(frozen=True)
class Revocation:
    """One token, until it expires (seconds since 1970)."""

    token_id: str
    expires_at: float


@dataclass(frozen=True)
class Refusal:
    """A user's tokens issued before `tokens_from` (seconds since 1970); all while `disabled`.

    `tokens_from` only grows, so of two the one with the greater is the newer.
    """

    user_id: str
    tokens_from: float
    disabled: bool


class Revocations:
    """What this replica refuses. It only learns, and forgets what has expired.

    A revoked token takes about 200 bytes until it expires, a user who was disabled or enabled as much
    for as long as a token lives; `prune` gives them back.
    """

    def __init__(self, lifetime: float = LIFETIME, clock: Callable[[], float] = time.time) -> None:
        self._lifetime = lifetime
        self._clock = clock
        self._tokens: dict[str, float] = {}
        # By user: the refusal's age, the last moment of refused tokens, and when to forget it.
        self._users: dict[str, tuple[float, float, float]] = {}

    def __len__(self) -> int:
        return len(self._tokens) + len(self._users)

    def refuse(self, token_id: str, subject: str, issued_at: float) -> bool:
        """Whether a token is refused. `issued_at` in seconds since 1970."""
        if token_id in self._tokens:
            return True
        user = self._users.get(subject)
        return user is not None and issued_at <= user[1]

    def learn(self, entry: Revocation | Refusal) -> None:
        """In any order, and as often as one likes."""
        if isinstance(entry, Revocation):
            self._tokens[entry.token_id] = entry.expires_at
            return
        known = self._users.get(entry.user_id)
        if known is not None and known[0] >= entry.tokens_from:
            return
        last_refused = math.inf if entry.disabled else entry.tokens_from + CLOCK_DIFFERENCE
        # Nobody gets a token while disabled, so all of them have expired a lifetime after.
        forget_at = max(self._clock(), entry.tokens_from) + self._lifetime + 2 * CLOCK_DIFFERENCE
        self._users[entry.user_id] = (entry.tokens_from, last_refused, forget_at)

    def prune(self) -> None:
        """Forget what has expired by itself."""
        now = self._clock()
        bound = now - CLOCK_DIFFERENCE
        self._tokens = {key: expires for key, expires in self._tokens.items() if expires > bound}
        self._users = {key: user for key, user in self._users.items() if user[2] > now}
