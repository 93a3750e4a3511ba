"""Who is logged in: a signed cookie, and which of them have been logged out.

Nothing is kept of a session but its end, so that the guardian's restart logs nobody out. The key is made of
the password and the guardian's own token: a rotation of either ends every session.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from guardian.settings import secret

LIFETIME_SECONDS = 12 * 3600
_COOKIE = re.compile(r"([0-9a-f]{32})\.(\d{1,12})\.([0-9a-f]{64})")


@dataclass
class Sessions:
    """Times are in seconds since 1970."""

    password_file: Path
    token_file: Path
    _ended: dict[str, int] = field(default_factory=dict)

    def begin(self, now: float) -> str:
        """The cookie of a new session."""
        identifier, until = secrets.token_hex(16), int(now) + LIFETIME_SECONDS
        return f"{identifier}.{until}.{self._signature(identifier, until)}"

    def holds(self, cookie: str, now: float) -> bool:
        """Whether a cookie is of a session that goes on."""
        known = self._read(cookie)
        return known is not None and known[1] > now and known[0] not in self._ended

    def end(self, cookie: str, now: float) -> None:
        """Log out: the cookie is worth nothing any more, whoever has a copy of it."""
        for gone in [identifier for identifier, until in self._ended.items() if until <= now]:
            del self._ended[gone]
        if (known := self._read(cookie)) is not None:
            self._ended[known[0]] = known[1]

    def _read(self, cookie: str) -> tuple[str, int] | None:
        """The id and the end that a cookie has, where it is one of ours."""
        parts = _COOKIE.fullmatch(cookie)
        if parts is None or not secret(self.password_file):
            return None
        identifier, until = parts[1], int(parts[2])
        return (
            (identifier, until) if hmac.compare_digest(parts[3], self._signature(identifier, until)) else None
        )

    def _signature(self, identifier: str, until: int) -> str:
        own = f"{secret(self.token_file)}\n{secret(self.password_file)}"
        key = hmac.digest(own.encode(), b"dashboard session", "sha256")
        return hmac.new(key, f"{identifier}.{until}".encode(), hashlib.sha256).hexdigest()
