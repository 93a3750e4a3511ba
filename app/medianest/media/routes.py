"""`/api/media`: upload, list, look at, delete.

The body of an upload is the picture itself rather than a form, so that it streams to the volume and is
never in memory. Who uploads what somebody else has uploaded gets a media of their own, which is done at
once: that somebody has this very file can be told from it.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from medianest.media.documents import (
    CURSOR,
    MediaDocument,
    MediaPage,
    cursor_of,
    document,
    position_of,
    responses,
)
from medianest.media.headers import Format
from medianest.media.library import ACCEPT, Library
from medianest.media.pictures import Media, NoOwnerError
from medianest.media.threads import VolumeError, VolumeFullError
from medianest.tokens import InvalidTokenError

PATH = "/api/media"
_COMMON = {"_401": "No token, or one that is not good", "_503": "The database is not available"}
_NOT_FOUND = "None of the user's media has this id"
_PRIVATE = {"Cache-Control": "private, no-cache"}
_FOR_EVER = "private, max-age=31536000, immutable"
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The picture itself, of the announced type.",
        "content": {kind.media_type: {"schema": {"type": "string", "format": "binary"}} for kind in Format},
    }
}
_LOCATION = {"Location": {"description": "Of the media's document", "schema": {"type": "string"}}}


def routes(library: Library, authenticated: Callable[..., Any]) -> APIRouter:
    """For the bearer of a token, whose id the dependency `authenticated` finds."""
    router = APIRouter(prefix=PATH, tags=["media"])
    User = Annotated[UUID, Depends(authenticated)]  # noqa: N806 - a type

    @router.post(
        "",
        status_code=202,
        response_model=MediaDocument,
        openapi_extra=_BODY,
        responses={
            200: {"description": "Uploaded before; nothing was to do", "model": MediaDocument},
            202: {"description": "Accepted, to be processed", "headers": _LOCATION},
            **responses(
                **_COMMON,
                _408="The upload takes too long",
                _413="The body is too large",
                _415="Not a picture, of another type than announced, or of one that is not taken",
                _422="Damaged, empty, or too large to be decoded",
                _429="Too many uploads at once, or too many pictures wait to be processed",
                _507="The volume is full",
            ),
        },
    )
    async def upload(user_id: User, request: Request) -> Response:
        """Answers 202 when the picture is on the disk and its job in the database: neither is lost
        after that. The same picture again is the same media."""
        try:
            accepted = await library.upload(user_id, _declared(request), request.stream())
        except NoOwnerError:
            raise InvalidTokenError from None
        except ClientDisconnect:
            structlog.get_logger(component="media").info("Upload was broken off")
            return Response(status_code=400)  # which nobody reads
        except VolumeError as error:
            raise _volume_problem(error) from error
        where = {"Location": f"{PATH}/{accepted.media.id}"} if accepted.anew else {}
        return _json(document(accepted.media), 202 if accepted.anew else 200, where)

    @router.get(
        "", response_model=MediaPage, responses=responses(**_COMMON, _422="A wrong `limit` or `after`")
    )
    async def page(
        user_id: User,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        after: Annotated[str | None, Query(pattern=CURSOR, description="`next` of a page")] = None,
    ) -> Response:
        """The user's media, newest first."""
        found = await library.pictures.page(user_id, limit + 1, position_of(after) if after else None)
        shown = found[:limit]
        more = cursor_of(shown[-1]) if len(found) > limit else None
        return _json({"items": [document(media) for media in shown], "next": more})

    @router.get(
        "/{media_id}",
        response_model=MediaDocument,
        responses=responses(**_COMMON, _404=_NOT_FOUND, _422="Not an id"),
    )
    async def read(user_id: User, media_id: UUID) -> Response:
        """State, error, metadata and links to the thumbnails."""
        return _json(document(await found(user_id, media_id)))

    @router.delete(
        "/{media_id}",
        status_code=204,
        response_class=Response,
        responses=responses(**_COMMON, _404=_NOT_FOUND, _422="Not an id"),
    )
    async def delete(user_id: User, media_id: UUID) -> Response:
        """The files go too when nobody else has uploaded the same."""
        if not await library.forget(user_id, media_id):
            raise HTTPException(404, _NOT_FOUND)
        return Response(status_code=204)

    @router.get(
        "/{media_id}/thumbnails/{size}",
        response_class=Response,
        responses={
            200: {"description": "The thumbnail", "content": {"image/webp": {"schema": _BINARY}}},
            304: {"description": "As in `If-None-Match`"},
            **responses(
                **_COMMON,
                _404="No such media, or no thumbnails: not yet, or not from this picture",
                _422="Not an id, or not a size",
            ),
        },
    )
    async def thumbnail(
        user_id: User, media_id: UUID, size: Literal["160", "480", "1280"], request: Request
    ) -> Response:
        """Never changes. There is none (404) until the media's state is `done`."""
        media = await found(user_id, media_id)
        if media.state != "done":
            raise HTTPException(404, _NO_THUMBNAIL[media.state])
        headers = {
            "ETag": f'"{media.sha256}-{size}"',
            "Cache-Control": _FOR_EVER,
            "X-Content-Type-Options": "nosniff",
        }
        if _matches(request.headers.getlist("If-None-Match"), headers["ETag"]):
            return Response(status_code=304, headers=headers)
        try:
            content = await library.store.read_thumbnail(media.sha256, int(size))
        except VolumeError as error:
            raise _volume_problem(error) from error
        if content is None:
            raise HTTPException(404, _NOT_FOUND)
        return Response(content, media_type="image/webp", headers=headers)

    async def found(user_id: UUID, media_id: UUID) -> Media:
        media = await library.pictures.find(user_id, media_id)
        if media is None:
            raise HTTPException(404, _NOT_FOUND)
        return media

    return router


_BINARY = {"type": "string", "format": "binary"}
_NO_THUMBNAIL = {
    "queued": "The picture has not been processed yet",
    "running": "The picture has not been processed yet",
    "failed": "The picture could not be processed",
}


def _declared(request: Request) -> Format:
    """Raises HTTPException for a type that is not taken."""
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    for kind in Format:
        if kind.media_type == media_type:
            return kind
    raise HTTPException(415, f"Content-Type must be one of {ACCEPT['Accept']}", ACCEPT)


def _volume_problem(error: VolumeError) -> HTTPException:
    structlog.get_logger(component="media").error("The volume cannot be used", error=str(error))
    if isinstance(error, VolumeFullError):
        return HTTPException(507, "There is no room for the picture")
    return HTTPException(503, "The volume of media is not available", {"Retry-After": "5"})


def _matches(given: list[str], etag: str) -> bool:
    """RFC 9110, section 13.1.2: weak comparison with any of a list."""
    tags = [tag.strip().removeprefix("W/") for line in given for tag in line.split(",")]
    return etag in tags or tags == ["*"]


def _json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps(content, option=orjson.OPT_UTC_Z),
        status,
        media_type="application/json",
        headers=_PRIVATE | (headers or {}),
    )
