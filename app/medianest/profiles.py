"""Users' own profiles, read through the cache."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from medianest.auth import authenticated, identify
from medianest.cache import Cache, Cached, Source
from medianest.routes import direct
from medianest.tokens import InvalidTokenError, TokenService
from medianest.users import Profile, Users

# Short enough for a reader to bear a stale one, should Redis miss a change while it is down.
CACHE_SECONDS = 60


class ProfileDocument(BaseModel):
    """What a user sees of themselves."""

    id: UUID
    username: str
    display_name: str


class ProfileChange(BaseModel):
    """What a user may change."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    display_name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Profiles:
    """Reads through the cache; writes to Postgres, then puts the new profile in place of the cached."""

    def __init__(self, users: Users, cache: Cache) -> None:
        self._users = users
        self._cache = cache

    def routes(self, tokens: TokenService) -> APIRouter:
        """`/api/users/me`, for the bearer of a token."""
        router = APIRouter(prefix="/api/users", tags=["users"])
        User = Annotated[UUID, Depends(authenticated(tokens))]  # noqa: N806 - a type

        user_of = identify(tokens)
        bearer = [Depends(HTTPBearer(auto_error=False))]

        @direct(router, "GET", "/me", response_model=ProfileDocument, dependencies=bearer)
        async def read(request: Request) -> Response:
            """The profile of the token's user; with `Cache-Control: no-cache` not from the cache."""
            user_id = await user_of(request)

            async def load() -> bytes | None:
                profile = await self._users.profile(user_id)
                return None if profile is None else _document(profile)

            if request.headers.get("cache-control") == "no-cache":  # RFC 9111, section 5.2.1.4
                loaded = await load()
                cached = None if loaded is None else Cached(loaded, Source.BYPASS)
            else:
                cached = await self._cache.read(_key(user_id), CACHE_SECONDS, load)
            if cached is None:
                raise InvalidTokenError
            return _answer(cached.value, {"X-Cache": cached.source})

        @router.patch("/me", response_model=ProfileDocument)
        async def change(user_id: User, wanted: ProfileChange) -> Response:
            profile = await self._users.rename(user_id, wanted.display_name)
            if profile is None:
                raise InvalidTokenError
            document = _document(profile)
            await self._cache.replace(_key(user_id), document, CACHE_SECONDS)
            return _answer(document)

        return router


def _key(user_id: UUID) -> str:
    return f"profile:1:{user_id}"


def _document(profile: Profile) -> bytes:
    document = ProfileDocument(id=profile.id, username=profile.username, display_name=profile.display_name)
    return document.model_dump_json().encode()


def _answer(document: bytes, headers: dict[str, str] | None = None) -> Response:
    private = {"Cache-Control": "private, no-cache"}
    return Response(document, media_type="application/json", headers=private | (headers or {}))
