"""What is said of media, and how it is described in OpenAPI."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from medianest.media.claims import GIVEN_UP
from medianest.media.headers import Format
from medianest.media.jobs import UNUSABLE
from medianest.media.limits import SIZES
from medianest.media.pictures import Media, Position
from medianest.problems import documented

CURSOR = r"^[0-9]{16}-[0-9a-f]{32}$"


class MediaError(BaseModel):
    """Why there are no thumbnails."""

    name: str
    message: str


class MediaMetadata(BaseModel):
    """Of the upright picture. `taken_at` is the camera's clock, with an offset only where it had one."""

    format: Format
    width: int
    height: int
    mode: str
    frames: int
    taken_at: str | None = None
    camera_make: str | None = None
    camera_model: str | None = None


class Thumbnail(BaseModel):
    """A WebP whose longest side is `size` pixels, or that of a smaller picture."""

    size: int
    url: str


class MediaDocument(BaseModel):
    """What a user sees of a picture. `width` and `height` are those that are stored in the file, before
    it is turned upright."""

    id: UUID
    state: Literal["queued", "running", "done", "failed"]
    format: Format
    width: int
    height: int
    bytes: int
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    created_at: datetime
    error: MediaError | None
    metadata: MediaMetadata | None
    thumbnails: list[Thumbnail]


class MediaPage(BaseModel):
    """`next` is the `after` of the next page; null on the last one."""

    items: list[MediaDocument]
    next: Annotated[str, Field(pattern=CURSOR)] | None


def document(media: Media) -> dict[str, Any]:
    """A MediaDocument, ready for JSON."""
    done = media.state == "done"
    return {
        "id": media.id,
        "state": media.state,
        "format": media.format,
        "width": media.width,
        "height": media.height,
        "bytes": media.bytes,
        "sha256": media.sha256,
        "created_at": media.created_at,
        "error": _error(media),
        "metadata": media.metadata,
        "thumbnails": [
            {"size": size, "url": f"/api/media/{media.id}/thumbnails/{size}"} for size in SIZES if done
        ],
    }


def cursor_of(media: Media) -> str:
    """The position of a media, as it is handed out."""
    microseconds = (media.created_at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
    return f"{microseconds:016}-{media.id.hex}"


def position_of(cursor: str) -> Position:
    """The way back. Every text that matches CURSOR has one."""
    microseconds, _, media_id = cursor.partition("-")
    seconds, rest = divmod(int(microseconds), 1_000_000)
    return Position(datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest), UUID(media_id))


def responses(**described: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's part on problems: `_404="No such …"`."""
    texts = {int(status[1:]): text for status, text in described.items()}
    return {
        status: {**response, "description": texts[int(status)]}
        for status, response in documented(*texts).items()
    }


def _error(media: Media) -> dict[str, str] | None:
    if media.error_name is None:
        return None
    # Of other errors the message is for the log: it may hold a path.
    known = media.error_name in (UNUSABLE, GIVEN_UP) and media.error_message
    return {"name": media.error_name, "message": known or "The picture could not be processed"}
