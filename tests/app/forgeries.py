"""Tokens that must be refused, and the good one that they vary."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from medianest.tokens import key_id

SECRET = "kQ3vZ8pR1tYw6uXe2sBn9mLc4hJf7gDa0"
_ALIEN = "an entirely different signing key, long enough"
_PUBLIC_KEY = (
    "-----BEGIN PUBLIC KEY-----\n"
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf\n"
    "9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==\n"
    "-----END PUBLIC KEY-----\n"
)


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims with some changed; None takes one away."""
    now = datetime.now(UTC)
    good = {
        "iss": "medianest",
        "aud": "medianest-users",
        "sub": "somebody",
        "jti": "1",
        "iat": now,
        "nbf": now,
        "exp": now + timedelta(hours=1),
        "kind": "access",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def signed(payload: dict[str, Any], key: str = SECRET, algorithm: str | None = "HS256", **header: Any) -> str:
    """A token as PyJWT makes it."""
    return jwt.encode(payload, key, algorithm, headers={"kid": key_id(SECRET)} | header)


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _with_header(header: object, key: bytes = SECRET.encode(), signature: str | None = None) -> str:
    """A token with any header at all, signed by HMAC-SHA256 unless a signature is given."""
    times = {"iat": 0, "nbf": 0, "exp": 2**33}
    head = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims(**times)).encode())}"
    if signature is None:
        signature = _encoded(hmac.digest(key, head.encode(), hashlib.sha256))
    return f"{head}.{signature}"


_KID = {"kid": key_id(SECRET)}
_HS = {"alg": "HS256", "typ": "JWT"} | _KID
GOOD = signed(claims())
_HEAD, _PAYLOAD, _SIGNATURE = GOOD.split(".")
FORGERIES = {
    "another key": signed(claims(), _ALIEN),
    "no algorithm": _with_header({"alg": "none"} | _KID, signature=""),
    "no algorithm, in capitals": _with_header({"alg": "NONE"} | _KID, signature=""),
    "no algorithm, but a signature": _with_header({"alg": "none"} | _KID),
    "empty signature": f"{_HEAD}.{_PAYLOAD}.",
    "another algorithm": signed(claims(), SECRET * 2, "HS512"),
    "RS256, signed with the secret": _with_header(_HS | {"alg": "RS256"}),
    "HS256, signed with a public key": _with_header(_HS, _PUBLIC_KEY.encode()),
    "unknown key id": signed(claims(), kid="0123456789abcdef"),
    "path as key id": signed(claims(), kid="../../../dev/null"),
    "path as key id, signed with nothing": _with_header(_HS | {"kid": "/dev/null"}, b""),
    "statement as key id": signed(claims(), kid="' UNION SELECT 'key"),
    "key id of another type": _with_header({"alg": "HS256", "kid": {"a": 1}}),
    "no key id": jwt.encode(claims(), SECRET, "HS256"),
    "embedded key": signed(claims(), _ALIEN, jwk={"kty": "oct", "k": _encoded(_ALIEN.encode())}),
    "embedded key of another id": signed(claims(), _ALIEN, jwk={"kty": "oct", "k": "YQ"}, kid="alien"),
    "address of keys": signed(claims(), _ALIEN, jku="http://127.0.0.1:9/keys.json"),
    "address of a certificate": signed(claims(), _ALIEN, x5u="http://127.0.0.1:9/certificate.pem"),
    "certificate": signed(claims(), _ALIEN, x5c=["TUlJQg=="]),
    "good, but with an address of keys": signed(claims(), jku="http://127.0.0.1:9/keys.json"),
    "critical extension": _with_header(_HS | {"crit": ["b64"], "b64": False}),
    "header that is no object": _with_header("HS256"),
    "header that is no JSON": f"{_encoded(b'{{{{')}.{_PAYLOAD}.{_SIGNATURE}",
    "header of great depth": f"{_encoded(b'[' * 2000)}.{_PAYLOAD}.{_SIGNATURE}",
    "same header, written otherwise": _with_header(_HS),
    "payload that is no JSON": f"{_HEAD}.{_encoded(b'{{{{')}.{_SIGNATURE}",
    "payload of another token": f"{_HEAD}.{signed(claims(sub='other')).split('.')[1]}.{_SIGNATURE}",
    "wrong issuer": signed(claims(iss="somebody-else")),
    "wrong audience": signed(claims(aud="others")),
    "audience among others": signed(claims(aud=["others", "medianest-users"])),
    "not yet valid": signed(claims(nbf=datetime.now(UTC) + timedelta(days=1))),
    "issued in the future": signed(claims(iat=datetime.now(UTC) + timedelta(days=1))),
    "another kind": signed(claims(kind="refresh")),
    "kind of another type": signed(claims(kind=["access"])),
    "empty subject": signed(claims(sub="")),
    "subject of another type": signed(claims(sub=7)),
    "empty token id": signed(claims(jti="")),
    "token id of another type": signed(claims(jti=7)),
    "expiry that is no number": signed(claims(exp="tomorrow")),
    "expiry beyond all numbers": signed(claims(exp=float("inf"))),
    "truncated": GOOD[:-5],
    "without a signature": f"{_HEAD}.{_PAYLOAD}",
    "header alone": _HEAD,
    "header and dots": f"{_HEAD}..",
    "oversized": signed(claims(padding="x" * 5000)),
    "huge": f"{_HEAD}.{'a' * 60_000}.{_SIGNATURE}",
    "more after it": f"{GOOD}AAAA",
    "part after it": f"{GOOD}.{_SIGNATURE}",
    "doubled dot": f"{_HEAD}..{_PAYLOAD}.{_SIGNATURE}",
    "dot before it": f".{GOOD}",
    "dot after it": f"{GOOD}.",
    "padded": f"{GOOD}=",
    "padded in the middle": f"{_HEAD}.{_PAYLOAD}=.{_SIGNATURE}",
    "in the other alphabet": f"{_HEAD}.{_PAYLOAD}.+/{_SIGNATURE[2:]}",
    "space before it": f" {GOOD}",
    "line break after it": f"{GOOD}\n",
    "line break inside": f"{GOOD[:-9]}\n{GOOD[-9:]}",
    "zero byte inside": f"{GOOD[:-9]}\x00{GOOD[-9:]}",
    "not a token": "not-a-token",
    "dots": "..",
    "not ASCII": f"{GOOD[:-1]}\u00e9",
    "not even text": "\x00\ud800",
    "empty": "",
    **{f"no {name}": signed(claims(**{name: None})) for name in
       ("exp", "iat", "nbf", "iss", "aud", "sub", "jti", "kind")},
}  # fmt: skip
