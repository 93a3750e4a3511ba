"""Thumbnails of a picture, by Pillow. Imported in worker processes only."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageCms
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from medianest.media.exif import Metadata, metadata, orientation
from medianest.media.frames import TooManyFramesError, gif_frames
from medianest.media.headers import Format, Header, HeaderError, read_header
from medianest.media.limits import SIZES, jpeg_scale, reduction

# Taken at a time, so that there is never a converted copy of a whole large picture.
_STRIP_PIXELS = 500_000
_QUALITY = 80
_OPENERS: Mapping[Format, type[ImageFile]] = {
    Format.GIF: GifImageFile,
    Format.JPEG: JpegImageFile,
    Format.PNG: PngImageFile,
    Format.WEBP: WebPImageFile,
}
# EXIF 2.32, section 4.6.4: Orientation.
_UPRIGHT: Mapping[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnusablePictureError(ValueError):
    """What is wrong with a picture. The message may be shown to who uploaded it."""


def thumbnails(original: Path, targets: Mapping[int, Path], scratch: Path) -> Metadata:
    """Write a WebP for each longest side of `targets`, without any of the picture's metadata, by way of
    the directory `scratch` on the same file system. Run twice it gives the same files.

    Returns the picture's metadata. Raises UnusablePictureError, and OSError when a file cannot be read
    or written.
    """
    with original.open("rb") as file:
        try:
            with warnings.catch_warnings(action="ignore"):  # of damaged metadata, at anybody's will
                largest, found = _decoded(file)
        except (HeaderError, TooManyFramesError, UnusablePictureError) as error:
            raise UnusablePictureError(str(error)) from None
        except MemoryError:
            raise
        except Exception as error:
            # Pillow's plugins raise nearly every kind of exception over hostile input.
            raise UnusablePictureError("The picture is damaged or cut short") from error
    # From the largest to the smallest, each from the one before, which costs least.
    for size in sorted(targets, reverse=True):
        largest = _fitted(largest, size)
        _write(largest, targets[size], scratch)
    return found


def _decoded(file: BinaryIO) -> tuple[Image.Image, Metadata]:
    """The first frame, upright, in sRGB, at the largest thumbnail's size; and the metadata."""
    header = read_header(file)
    file.seek(0)
    frames = gif_frames(file) if header.format is Format.GIF else 1
    file.seek(0)
    opened = _opened(file, header, frames)
    # In this order, since colours and turns cost the less the smaller the picture is.
    picture = _in_srgb(_fitted(opened.picture, max(SIZES)), opened.profile)
    return (picture if opened.turn is None else picture.transpose(opened.turn)), opened.metadata


@dataclass
class _Opened:
    """What remains of a file when its decoder is gone."""

    picture: Image.Image
    metadata: Metadata
    turn: Image.Transpose | None
    profile: bytes | None


def _opened(file: BinaryIO, header: Header, frames: int) -> _Opened:
    with _OPENERS[header.format](file) as picture:
        if picture.size != (header.width, header.height):
            # What was checked is not what would be decoded: no honest encoder writes this.
            raise UnusablePictureError("The picture contradicts its own header")
        if isinstance(picture, JpegImageFile):
            scale = jpeg_scale(header.width, header.height)
            picture.draft(None, (max(1, header.width // scale), max(1, header.height // scale)))
        if isinstance(picture, PngImageFile | WebPImageFile):
            frames = picture.n_frames
        return _Opened(
            metadata=metadata(header, picture, frames),
            turn=_UPRIGHT.get(orientation(picture)),
            profile=picture.info.get("icc_profile"),
            picture=_reduced(picture),
        )


def _reduced(picture: ImageFile) -> Image.Image:
    """Divided by a whole number, in a mode that can be scaled; strip by strip, since a converted copy
    of the whole would take as much memory again."""
    picture.load()
    factor = reduction(*picture.size)
    transparent = picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info
    mode = "RGBa" if transparent else "CMYK" if picture.mode == "CMYK" else "RGB"
    width, height = picture.size
    rows = max(1, _STRIP_PIXELS // width // factor) * factor
    result = Image.new(mode, (-(-width // factor), -(-height // factor)))
    for top in range(0, height, rows):
        strip = _converted(picture.crop((0, top, width, min(height, top + rows))), mode)
        result.paste(strip.reduce(factor), (0, top // factor))
    return result


def _converted(strip: Image.Image, mode: str) -> Image.Image:
    if strip.mode == "I;16":  # of 16 bits, which Pillow would cut off rather than scale
        transparent = strip.info.pop("transparency", None)
        strip = strip.point(lambda value: value * (1 / 257)).convert("L")
        if isinstance(transparent, int):
            strip.info["transparency"] = transparent // 257
    if mode == "RGBa":
        strip = strip.convert("RGBA")
    return strip.convert(mode)


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Thumbnails carry no profile, so that their colours must be those of the web."""
    picture = picture.convert("RGBA") if picture.mode == "RGBa" else picture
    mode = "RGBA" if picture.mode == "RGBA" else "RGB"
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(picture, source, target, outputMode=mode)
            if converted is not None:
                return converted
    return picture.convert(mode)


def _fitted(picture: Image.Image, longest: int) -> Image.Image:
    """Made smaller, never larger."""
    factor = longest / max(picture.size)
    if factor >= 1:
        return picture
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _write(picture: Image.Image, target: Path, scratch: Path) -> None:
    """All or nothing, and on the disk when this returns."""
    temporary = scratch / secrets.token_hex(16)
    try:
        with temporary.open("xb") as file:
            picture.save(file, "WEBP", quality=_QUALITY, method=4, exif=b"", icc_profile=b"", xmp=b"")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
