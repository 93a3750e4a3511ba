"""What worker processes do for media. Paths come in, what was found goes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from medianest.media import images
from medianest.media.images import UnusablePictureError
from medianest.workers.frames import JsonValue

THUMBNAILS = "thumbnails"


def thumbnails(original: str, targets: Mapping[str, str], scratch: str) -> JsonValue:
    """See `images.thumbnails`; `targets` maps longest sides to paths. Returns the `metadata`, or the
    `problem` of a picture that cannot be used. Raises OSError."""
    try:
        found = images.thumbnails(
            Path(original), {int(size): Path(path) for size, path in targets.items()}, Path(scratch)
        )
    except UnusablePictureError as error:
        return {"problem": str(error)}
    return {"metadata": dict(found)}


TASKS: Mapping[str, Callable[..., JsonValue]] = {THUMBNAILS: thumbnails}
