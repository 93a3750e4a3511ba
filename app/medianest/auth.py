"""Login, logout, and who the bearer of a token is."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from medianest.answers import Json
from medianest.login_limits import LoginLimits, client_address
from medianest.passwords import Passwords
from medianest.problems import UnauthenticatedError, documented
from medianest.revocation_feed import RevocationFeed
from medianest.routes import direct
from medianest.settings import USERNAME
from medianest.tokens import AUDIENCE, ISSUER, Claims, InvalidTokenError, TokenService
from medianest.users import Users

Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
_NO_STORE = {"Cache-Control": "no-store"}


class LoginRequest(BaseModel):
    """A name and a password."""

    model_config = ConfigDict(extra="forbid")

    username: Annotated[str, Field(pattern=USERNAME.pattern)]
    password: Annotated[SecretStr, Field(min_length=1, max_length=1024)]


class LoginAnswer(BaseModel):
    """As in OAuth 2 (RFC 6749, section 5.1). `expires_in` is in seconds."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - a kind, not a token
    expires_in: int


class TestAnswer(BaseModel):
    """What a token that has been issued and verified says of itself. `expires_in` is in seconds."""

    success: bool
    issuer: str
    audience: str
    expires_in: int


def routes(
    users: Users,
    passwords: Passwords,
    tokens: TokenService,
    limits: LoginLimits,
    revocations: RevocationFeed,
) -> APIRouter:
    """`/api/auth/…`"""
    router = APIRouter(prefix="/api/auth", tags=["auth"])
    BearerClaims = Annotated[Claims, Depends(verified(tokens))]  # noqa: N806 - a type

    @router.post("/login", response_model=LoginAnswer, responses=documented(401, 429))
    async def login(wanted: LoginRequest, request: Request) -> Response:
        """The same answer after the same time for an unknown user, a disabled one and a wrong password."""
        attempt = await limits.begin(wanted.username, client_address(request.scope))
        # Who is disabled from now on gets a token that is refused.
        began = time.time()
        known = await users.credentials(wanted.username)
        stored = known.password_hash if known else None
        password = wanted.password.get_secret_value()
        matches = await passwords.verify(stored, password, admit=partial(limits.check, attempt))
        if known is None or not matches:
            await limits.failed(attempt)
            raise UnauthenticatedError("Wrong username or password")
        await limits.succeeded(attempt)
        token = tokens.issue(str(known.user_id), began)
        answer = LoginAnswer(access_token=token.value, expires_in=token.expires_in)
        return JSONResponse(answer.model_dump(), headers=_NO_STORE)

    @router.post("/logout", status_code=204, response_class=Response, responses=documented(401))
    async def logout(claims: BearerClaims) -> Response:
        """Refuses the request's token from now on, everywhere. After a 503 it may still be good."""
        await revocations.revoke(claims.token_id, claims.expires_at)
        return Response(status_code=204, headers=_NO_STORE)

    @direct(router, "POST", "/test-jwt", response_model=TestAnswer)
    async def issue_and_verify(_: Request) -> Response:
        """Issues a token, verifies it, and keeps it to itself."""
        token = tokens.issue("test-jwt")
        claims = tokens.verify(token.value, remember=False)
        lifetime = claims.expires_at - claims.issued_at
        return Json({"success": True, "issuer": ISSUER, "audience": AUDIENCE, "expires_in": lifetime})

    return router


def verified(tokens: TokenService) -> Callable[[Bearer], Awaitable[Claims]]:
    """A dependency of routes: what the request's token says, once it is found good."""

    # Asynchronous only to run in the event loop: FastAPI hands plain functions to a thread.
    async def claims(bearer: Bearer) -> Claims:
        return _claims(tokens, None if bearer is None else bearer.credentials)

    return claims


def authenticated(tokens: TokenService) -> Callable[[Claims], Awaitable[UUID]]:
    """A dependency of routes: the id of the user that the request's token was issued to."""

    async def user_id(claims: Annotated[Claims, Depends(verified(tokens))]) -> UUID:
        return _user_id(claims)

    return user_id


def identify(tokens: TokenService) -> Callable[[Request], Awaitable[UUID]]:
    """As `authenticated`, for direct routes, which have no dependencies."""

    async def user_id(request: Request) -> UUID:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        return _user_id(_claims(tokens, credentials if scheme.lower() == "bearer" else None))

    return user_id


def _claims(tokens: TokenService, credentials: str | None) -> Claims:
    if not credentials:
        raise UnauthenticatedError("A bearer token is needed")
    return tokens.verify(credentials)


def _user_id(claims: Claims) -> UUID:
    try:
        return UUID(claims.subject)
    except ValueError:
        raise InvalidTokenError from None
