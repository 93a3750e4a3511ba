"""Users' own profiles, read through the cache."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from medianest.auth import authenticated
from medianest.cache import Cache
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

        @router.get("/me", response_model=ProfileDocument)
        async def read(user_id: User) -> Response:
            async def load() -> bytes | None:
                profile = await self._users.profile(user_id)
                return None if profile is None else _document(profile)

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
