"""Whether somebody may log in: the password, and how often it may be tried."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from guardian.settings import secret

# So many mistakes cost no wait: people mistype.
_FREE_FAILURES = 3
_LONGEST_WAIT_SECONDS = 60.0
# Failures that long ago are forgotten.
_FORGOTTEN_SECONDS = 900.0


class Answer(Enum):
    """What comes of an attempt."""

    WELCOME = "welcome"
    WRONG = "wrong"
    TOO_SOON = "too soon"
    NO_PASSWORD = "no password"  # noqa: S105 - a word


@dataclass
class Login:
    """Counts the failures of all together: behind a published port everybody has the same address.

    After the third each one doubles the wait for the next attempt, up to a minute. Nobody is let in
    during a wait, whatever the password; sessions that are open go on.
    """

    password_file: Path
    _failures: int = 0
    _failed_at: float = 0.0
    _not_before: float = 0.0

    def attempt(self, given: str, now: float) -> Answer:
        """Compare in constant time. `now` is in seconds, of a clock that does not go back."""
        if self.wait(now) > 0:
            return Answer.TOO_SOON
        password = secret(self.password_file)
        if not password:
            return Answer.NO_PASSWORD
        # The digests have one length, so that the time tells nothing of the password's.
        if hmac.compare_digest(_digest(given), _digest(password)):
            self._failures, self._not_before = 0, 0.0
            return Answer.WELCOME
        self._failed(now)
        return Answer.WRONG

    def wait(self, now: float) -> float:
        """Seconds until the next attempt, 0 where it may be made."""
        return max(0.0, self._not_before - now)

    def _failed(self, now: float) -> None:
        if now - self._failed_at > _FORGOTTEN_SECONDS:
            self._failures = 0
        self._failures, self._failed_at = self._failures + 1, now
        beyond = self._failures - _FREE_FAILURES
        if beyond > 0:
            self._not_before = now + min(_LONGEST_WAIT_SECONDS, 2.0 ** min(beyond, 10))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
