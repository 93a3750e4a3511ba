"""Signed tokens (JWT, RFC 7519): who the bearer is, for 24 hours."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

ISSUER = "medianest"
AUDIENCE = "medianest-users"
LIFETIME = timedelta(hours=24)
ALGORITHM = "HS256"
MINIMUM_SECRET_LENGTH = 32
REQUIRED_CLAIMS = ["exp", "iat", "nbf", "iss", "aud", "sub", "jti"]
# Clocks of two hosts differ a little; a token made on one must be good on the other at once.
_CLOCK_DIFFERENCE = timedelta(seconds=5)
_LONGEST_TOKEN = 4096
_KIND = "access"


class TokenError(Exception):
    """Why there is no token, or why one is refused. The message may be shown to anybody."""


class NotInitialisedError(TokenError):
    """The service has no key yet."""

    def __init__(self) -> None:
        super().__init__("Token service is not initialised")


class TokenExpiredError(TokenError):
    """The token was good once."""

    def __init__(self) -> None:
        super().__init__("Token expired")


class InvalidTokenError(TokenError):
    """The token is not ours, not for us, or damaged; which of them is nobody's business."""

    def __init__(self) -> None:
        super().__init__("Invalid token")


@dataclass(frozen=True)
class IssuedToken:
    """A new token. `expires_in` is in seconds."""

    value: str
    expires_in: int

    def __repr__(self) -> str:
        return f"IssuedToken(expires_in={self.expires_in})"


@dataclass(frozen=True)
class Claims:
    """What a verified token says."""

    subject: str
    token_id: str
    issued_at: datetime
    expires_at: datetime


class TokenService:
    """Issues tokens under the current key and verifies them under the current and the previous one,
    so that a rotation of the key logs nobody out."""

    def __init__(self, lifetime: timedelta = LIFETIME) -> None:
        self._lifetime = lifetime
        self._keys: dict[str, str] = {}
        self._current = ""

    def initialise(self, secret: str, previous: str | None = None) -> None:
        """Take the signing secrets. Raises ValueError for one of less than 32 characters."""
        if any(len(key) < MINIMUM_SECRET_LENGTH for key in (secret, previous) if key is not None):
            raise ValueError(f"a signing secret needs at least {MINIMUM_SECRET_LENGTH} characters")
        self._current = key_id(secret)
        self._keys = {key_id(key): key for key in (previous, secret) if key is not None}

    def issue(self, subject: str) -> IssuedToken:
        """Raises NotInitialisedError."""
        if not self._keys:
            raise NotInitialisedError
        now = datetime.now(UTC)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "jti": uuid.uuid4().hex,
            "iat": now,
            "nbf": now,
            "exp": now + self._lifetime,
            "kind": _KIND,
        }
        value = jwt.encode(claims, self._keys[self._current], ALGORITHM, headers={"kid": self._current})
        return IssuedToken(value, int(self._lifetime.total_seconds()))

    def verify(self, token: str) -> Claims:
        """Raises NotInitialisedError, TokenExpiredError or InvalidTokenError."""
        if not self._keys:
            raise NotInitialisedError
        if len(token) > _LONGEST_TOKEN:
            raise InvalidTokenError
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key_of(token),
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=_CLOCK_DIFFERENCE,
                options={"require": REQUIRED_CLAIMS},
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpiredError from None
        except (jwt.InvalidTokenError, ValueError):
            raise InvalidTokenError from None
        if claims.get("kind") != _KIND or not claims["sub"]:
            raise InvalidTokenError
        return Claims(
            subject=claims["sub"],
            token_id=claims["jti"],
            issued_at=datetime.fromtimestamp(claims["iat"], UTC),
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )

    def _key_of(self, token: str) -> str:
        key = jwt.get_unverified_header(token).get("kid")
        if not isinstance(key, str) or key not in self._keys:
            raise InvalidTokenError
        return self._keys[key]


def key_id(secret: str) -> str:
    """A public name for a key, the same on every replica, that tells nothing about it."""
    return hmac.new(secret.encode(), b"medianest key id", hashlib.sha256).hexdigest()[:16]
