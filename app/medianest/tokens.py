"""Signed tokens (JWT, RFC 7519): who the bearer is, for 24 hours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt

from medianest.revocations import CLOCK_DIFFERENCE, LIFETIME, Revocations

ISSUER = "medianest"
AUDIENCE = "medianest-users"
ALGORITHM = "HS256"
MINIMUM_SECRET_LENGTH = 32
REQUIRED_CLAIMS = ["exp", "iat", "nbf", "iss", "aud", "sub", "jti"]
_LONGEST_TOKEN = 4096
_KIND = "access"
_MOST_REMEMBERED = 2048


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


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says. Times are in seconds since 1970."""

    subject: str
    token_id: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True)
class _Key:
    secret: bytes
    key_id: str

    @property
    def header(self) -> str:
        """The first part of every token under this key, as PyJWT writes it."""
        document = {"alg": ALGORITHM, "kid": self.key_id, "typ": "JWT"}
        text = json.dumps(document, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


class TokenService:
    """Issues tokens under the current key and verifies them under the current and the previous one,
    so that a rotation of the key logs nobody out.

    All our tokens under one key begin with the same header, so any other header is refused unread: no
    algorithm, key or address that a stranger names in it is ever looked at (RFC 8725, 3.1 and 3.10).
    What has been verified is remembered, a bounded number of tokens, the latest used; whether it has
    expired or been revoked is asked each time. Nothing here waits for anybody.
    """

    def __init__(
        self, lifetime: timedelta = timedelta(seconds=LIFETIME), revocations: Revocations | None = None
    ) -> None:
        self.revocations = Revocations(lifetime.total_seconds()) if revocations is None else revocations
        self._lifetime = int(lifetime.total_seconds())
        self._current = _Key(b"", "")
        self._keys: dict[str, _Key] = {}
        self._remembered: OrderedDict[str, Claims] = OrderedDict()
        self._jwt = jwt.PyJWT({"require": REQUIRED_CLAIMS, "strict_aud": True})

    def initialise(self, secret: str, previous: str | None = None) -> None:
        """Take the signing secrets. Raises ValueError for one of less than 32 characters, or one that
        is a key of another kind (PEM, JWK)."""
        secrets_in_use = [key for key in (previous, secret) if key is not None]
        if any(len(key) < MINIMUM_SECRET_LENGTH for key in secrets_in_use):
            raise ValueError(f"a signing secret needs at least {MINIMUM_SECRET_LENGTH} characters")
        keys = [_Key(key.encode(), key_id(key)) for key in secrets_in_use]
        try:
            for key in keys:
                self._jwt.encode({}, key.secret, ALGORITHM)
        except jwt.InvalidKeyError:
            raise ValueError("a signing secret must be random text, not a key of another kind") from None
        self._current = keys[-1]
        self._keys = {key.header: key for key in keys}
        self._remembered.clear()

    def issue(self, subject: str, issued_at: float | None = None) -> IssuedToken:
        """`issued_at` is when the bearer proved who they are, in seconds since 1970, by default now.

        Raises NotInitialisedError.
        """
        if not self._keys:
            raise NotInitialisedError
        moment = int(time.time() if issued_at is None else issued_at)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "jti": secrets.token_urlsafe(12),
            "iat": moment,
            "nbf": moment,
            "exp": moment + self._lifetime,
            "kind": _KIND,
        }
        header = {"kid": self._current.key_id}
        return IssuedToken(self._jwt.encode(claims, self._current.secret, ALGORITHM, header), self._lifetime)

    def verify(self, token: str, *, remember: bool = True) -> Claims:
        """`remember` is for a token that will be shown again.

        Raises NotInitialisedError, TokenExpiredError or InvalidTokenError.
        """
        if not self._keys:
            raise NotInitialisedError
        claims = self._remembered.get(token)
        if claims is None:
            claims = self._read(token)
            if remember:
                self._remember(token, claims)
        elif claims.expires_at <= time.time() - CLOCK_DIFFERENCE:
            del self._remembered[token]
            raise TokenExpiredError
        else:
            self._remembered.move_to_end(token)
        if self.revocations.refuse(claims.token_id, claims.subject, claims.issued_at):
            raise InvalidTokenError
        return claims

    @property
    def remembered(self) -> int:
        """How many verified tokens are remembered."""
        return len(self._remembered)

    def _read(self, token: str) -> Claims:
        # PyJWT allows padding, with which one token could be written in several ways.
        if len(token) > _LONGEST_TOKEN or "=" in token:
            raise InvalidTokenError
        key = self._keys.get(token.partition(".")[0])
        if key is None:
            raise InvalidTokenError
        try:
            claims: dict[str, Any] = self._jwt.decode(
                token,
                key.secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=CLOCK_DIFFERENCE,
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpiredError from None
        except (jwt.InvalidTokenError, ValueError):
            raise InvalidTokenError from None
        if claims.get("kind") != _KIND or not claims["sub"] or not claims["jti"]:
            raise InvalidTokenError
        return Claims(claims["sub"], claims["jti"], int(claims["iat"]), int(claims["exp"]))

    def _remember(self, token: str, claims: Claims) -> None:
        self._remembered[token] = claims
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)


def key_id(secret: str) -> str:
    """A public name for a key, the same on every replica, that tells nothing about it."""
    return hmac.new(secret.encode(), b"medianest key id", hashlib.sha256).hexdigest()[:16]
