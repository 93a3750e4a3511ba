"""What a picture tells of itself, as far as it may be shown: never where it was taken."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime

from PIL import ExifTags, Image

from medianest.media.headers import Header

Metadata = dict[str, str | int]
"""`width` and `height` are the upright picture's. `taken_at` is the camera's clock (ISO 8601), with an
offset only where the camera knew it."""

_LONGEST_TEXT = 64
_TURNED = range(5, 9)
_OFFSET = re.compile(r"^[+-](0\d|1[0-4]):[0-5]\d$")


def metadata(header: Header, picture: Image.Image, frames: int) -> Metadata:
    """Of an opened picture. What is not there, or not sane, is left out."""
    turned = orientation(picture) in _TURNED
    found: Metadata = {
        "format": header.format.value,
        "width": header.height if turned else header.width,
        "height": header.width if turned else header.height,
        "mode": picture.mode,
        "frames": frames,
    }
    texts = {
        "taken_at": _taken_at(picture),
        "camera_make": _text(_tag(picture, ExifTags.Base.Make)),
        "camera_model": _text(_tag(picture, ExifTags.Base.Model)),
    }
    return found | {name: text for name, text in texts.items() if text}


def orientation(picture: Image.Image) -> int:
    """1 to 8 as in EXIF 2.32, section 4.6.4; 1 where nothing is said."""
    value = _tag(picture, ExifTags.Base.Orientation)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _taken_at(picture: Image.Image) -> str | None:
    for when, offset in (
        (ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
        (ExifTags.Base.DateTime, ExifTags.Base.OffsetTime),
    ):
        text = _text(_tag(picture, when))
        try:
            moment = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")
        except ValueError:
            continue
        zone = _text(_tag(picture, offset))
        return moment.isoformat() + (zone if _OFFSET.match(zone) else "")
    return None


def _tag(picture: Image.Image, tag: int) -> object:
    """From the main directory, else from EXIF's own. A damaged directory says nothing."""
    try:
        exif = picture.getexif()
        value: object = exif.get(tag)
        return exif.get_ifd(ExifTags.IFD.Exif).get(tag) if value is None else value
    except Exception:
        # Pillow parses lazily, and raises nearly every kind of exception over hostile input.
        return None


def _text(value: object) -> str:
    """Printable, on one line, at most 64 characters; empty for anything but text."""
    if not isinstance(value, str):
        return ""
    printable = "".join(
        character if unicodedata.category(character)[0] != "C" else " " for character in value
    )
    return " ".join(printable.split())[:_LONGEST_TEXT].strip()
