"""Login, and who the bearer of a token is."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from medianest.answers import Json
from medianest.passwords import Passwords
from medianest.problems import UnauthenticatedError, documented
from medianest.routes import direct
from medianest.settings import USERNAME
from medianest.tokens import AUDIENCE, ISSUER, InvalidTokenError, TokenService
from medianest.users import Users

Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


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


def routes(users: Users, passwords: Passwords, tokens: TokenService) -> APIRouter:
    """`/api/auth/…`"""
    router = APIRouter(prefix="/api/auth", tags=["auth"])

    @router.post("/login", response_model=LoginAnswer, responses=documented(401))
    async def login(request: LoginRequest) -> JSONResponse:
        known = await users.credentials(request.username)
        stored = known.password_hash if known else None
        matches = await passwords.verify(stored, request.password.get_secret_value())
        if known is None or not matches:
            raise UnauthenticatedError("Wrong username or password")
        token = tokens.issue(str(known.user_id))
        answer = LoginAnswer(access_token=token.value, expires_in=token.expires_in)
        return JSONResponse(answer.model_dump(), headers={"Cache-Control": "no-store"})

    @direct(router, "POST", "/test-jwt", response_model=TestAnswer)
    async def issue_and_verify(_: Request) -> Response:
        """Issues a token, verifies it, and keeps it to itself."""
        token = tokens.issue("test-jwt")
        claims = tokens.verify(token.value)
        lifetime = int((claims.expires_at - claims.issued_at).total_seconds())
        return Json({"success": True, "issuer": ISSUER, "audience": AUDIENCE, "expires_in": lifetime})

    return router


def authenticated(tokens: TokenService) -> Callable[[Bearer], UUID]:
    """A dependency of routes: the id of the user that the request's token was issued to."""

    def user_id(bearer: Bearer) -> UUID:
        return _user_id(tokens, None if bearer is None else bearer.credentials)

    return user_id


def identify(tokens: TokenService) -> Callable[[Request], Awaitable[UUID]]:
    """As `authenticated`, for direct routes, which have no dependencies."""

    async def user_id(request: Request) -> UUID:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        return _user_id(tokens, credentials if scheme.lower() == "bearer" else None)

    return user_id


def _user_id(tokens: TokenService, credentials: str | None) -> UUID:
    if not credentials:
        raise UnauthenticatedError("A bearer token is needed")
    claims = tokens.verify(credentials)
    try:
        return UUID(claims.subject)
    except ValueError:
        raise InvalidTokenError from None
