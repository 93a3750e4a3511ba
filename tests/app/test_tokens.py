import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from medianest.tokens import (
    InvalidTokenError,
    NotInitialisedError,
    TokenExpiredError,
    TokenService,
    key_id,
)

SECRET = "kQ3vZ8pR1tYw6uXe2sBn9mLc4hJf7gDa0"
FORMER = "9mLc4hJf7gDa0kQ3vZ8pR1tYw6uXe2sBn"
ALIEN = "an entirely different signing key, long enough"


@pytest.fixture
def service() -> TokenService:
    service = TokenService()
    service.initialise(SECRET)
    return service


def claims(**changes: Any) -> dict[str, Any]:
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
    return jwt.encode(payload, key, algorithm, headers={"kid": key_id(SECRET)} | header)


def test_a_token_is_verified_to_what_was_issued(service: TokenService) -> None:
    token = service.issue("somebody")
    found = service.verify(token.value)
    assert found.subject == "somebody"
    assert found.expires_at - found.issued_at == timedelta(hours=24)
    assert token.expires_in == 24 * 3600
    assert token.value not in repr(token)


def test_a_token_has_every_claim_of_the_agreement(service: TokenService) -> None:
    payload = jwt.decode(service.issue("somebody").value, options={"verify_signature": False})
    assert payload.keys() == {"iss", "aud", "sub", "jti", "iat", "nbf", "exp", "kind"}
    assert (payload["iss"], payload["aud"]) == ("medianest", "medianest-users")


def test_every_token_has_an_id_of_its_own(service: TokenService) -> None:
    ids = {service.verify(service.issue("somebody").value).token_id for _ in range(10)}
    assert len(ids) == 10


def test_nothing_is_issued_or_verified_before_there_is_a_key(service: TokenService) -> None:
    token = service.issue("somebody").value
    empty = TokenService()
    with pytest.raises(NotInitialisedError, match=r"^Token service is not initialised$"):
        empty.issue("somebody")
    with pytest.raises(NotInitialisedError):
        empty.verify(token)


@pytest.mark.parametrize(("secret", "previous"), [("x" * 31, None), (SECRET, "x" * 31)])
def test_a_short_signing_secret_is_refused(secret: str, previous: str | None) -> None:
    with pytest.raises(ValueError, match="at least 32 characters"):
        TokenService().initialise(secret, previous)


def test_a_rotation_logs_nobody_out() -> None:
    before, after, later = TokenService(), TokenService(), TokenService()
    before.initialise(FORMER)
    after.initialise(SECRET, FORMER)
    later.initialise(ALIEN, SECRET)
    token = before.issue("somebody").value
    assert after.verify(token).subject == "somebody"
    assert jwt.get_unverified_header(after.issue("somebody").value)["kid"] == key_id(SECRET)
    with pytest.raises(InvalidTokenError):
        later.verify(token)


def test_a_key_id_tells_nothing_of_the_key() -> None:
    assert key_id(SECRET) != key_id(FORMER)
    assert key_id(SECRET) not in SECRET


def test_an_expired_token_is_told_apart(service: TokenService) -> None:
    past = datetime.now(UTC) - timedelta(seconds=10)
    with pytest.raises(TokenExpiredError, match=r"^Token expired$"):
        service.verify(signed(claims(exp=past)))


def test_clocks_of_two_hosts_may_differ_a_little(service: TokenService) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)
    assert service.verify(signed(claims(iat=soon, nbf=soon))).subject == "somebody"


def _unsigned() -> str:
    parts = [{"alg": "none", "kid": key_id(SECRET)}, claims(iat=0, nbf=0, exp=2**33)]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, ""])


GOOD = signed(claims())
FORGERIES = {
    "another key": signed(claims(), ALIEN),
    "no algorithm": _unsigned(),
    "empty signature": GOOD.rpartition(".")[0] + ".",
    "another algorithm": signed(claims(), SECRET * 2, "HS512"),
    "unknown key id": signed(claims(), kid="0123456789abcdef"),
    "path as key id": signed(claims(), kid="../../../dev/null"),
    "statement as key id": signed(claims(), kid="' UNION SELECT 'key"),
    "key id of another type": GOOD.replace(
        GOOD.split(".")[0],
        base64.urlsafe_b64encode(b'{"alg":"HS256","kid":{"a":1}}').rstrip(b"=").decode(),
    ),
    "no key id": jwt.encode(claims(), SECRET, "HS256"),
    "embedded key": signed(claims(), ALIEN, jwk={"kty": "oct", "k": "YWxpZW4"}, kid="alien"),
    "wrong issuer": signed(claims(iss="somebody-else")),
    "wrong audience": signed(claims(aud="others")),
    "not yet valid": signed(claims(nbf=datetime.now(UTC) + timedelta(days=1))),
    "issued in the future": signed(claims(iat=datetime.now(UTC) + timedelta(days=1))),
    "another kind": signed(claims(kind="refresh")),
    "empty subject": signed(claims(sub="")),
    "truncated": GOOD[:-5],
    "oversized": signed(claims(padding="x" * 5000)),
    "not a token": "not-a-token",
    "not even text": "\x00\ud800",
    "empty": "",
    **{f"no {name}": signed(claims(**{name: None})) for name in
       ("exp", "iat", "nbf", "iss", "aud", "sub", "jti", "kind")},
}  # fmt: skip


@pytest.mark.parametrize("token", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_token_is_invalid_and_no_more_is_said(service: TokenService, token: str) -> None:
    with pytest.raises(InvalidTokenError, match=r"^Invalid token$"):
        service.verify(token)


def test_the_token_that_the_forgeries_vary_is_good(service: TokenService) -> None:
    assert service.verify(GOOD).subject == "somebody"
