"""What is taken: decided from a picture's header, before it is decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from medianest.media.headers import Format, Header

SIZES = (160, 480, 1280)
"""Longest sides of the thumbnails, in pixels."""

_LARGEST = max(SIZES)
_MB = 1024 * 1024
# A worker that has Pillow imported (24 MB), and what the allocator has not given back.
_WORKER_ITSELF = 28 * _MB
# Colour profiles and the encoder of the thumbnails.
_ENCODER = 12 * _MB
# What Pillow stores for a pixel. Modes of three bands take four bytes too.
_STORED: Mapping[str, int] = {"1": 1, "L": 1, "P": 1, "I;16": 2, "LA": 4, "RGB": 4, "RGBA": 4, "CMYK": 4}
# libwebp's two canvases for a pixel, and the copy that Pillow takes out of them.
_WEBP_DECODER = 13


@dataclass(frozen=True)
class Limits:
    """`size` is the file's, in bytes; `memory` is what decoding may take, in bytes."""

    size: int
    pixels: int
    memory: int

    @classmethod
    def of(cls, largest_mb: int, worker_memory_mb: int, pixels: int = 100_000_000) -> Limits:
        """From the settings: the memory is what a worker's limit leaves beside the worker itself."""
        return cls(largest_mb * _MB, pixels, max(0, worker_memory_mb * _MB - _WORKER_ITSELF))


def problem_with(header: Header, size: int, limits: Limits) -> str | None:
    """Why a picture of `size` bytes is too large to be decoded; None when it is not."""
    pixels = header.width * header.height
    if pixels > limits.pixels:
        return f"The picture has {pixels} pixels: at most {limits.pixels} are taken"
    needed = decoding_bytes(header, size)
    if needed > limits.memory:
        return (
            f"Decoding the picture would take {_in_mb(needed)} MB of memory: at most {_in_mb(limits.memory)}"
            " are there for it; make it smaller or, if it is progressive, WebP or PNG, a baseline JPEG"
        )
    return None


def decoding_bytes(header: Header, size: int) -> int:
    """The most memory that `images.thumbnails` takes for a picture, in bytes."""
    scale = jpeg_scale(header.width, header.height) if header.format is Format.JPEG else 1
    width, height = -(-header.width // scale), -(-header.height // scale)
    stored = width * height * _STORED[header.mode]
    factor = reduction(width, height)
    reduced = -(-width // factor) * -(-height // factor) * 4
    beside = header.coefficients
    if header.format is Format.WEBP:
        beside = header.width * header.height * _WEBP_DECODER + size
    # Its decoder is gone when the picture is reduced, and the picture when the thumbnails are made.
    return _ENCODER + max(beside + stored, stored + reduced, 2 * reduced)


def jpeg_scale(width: int, height: int) -> int:
    """How many times smaller a JPEG can be decoded at once without falling below the largest thumbnail."""
    times = max(width, height) // _LARGEST
    return max((scale for scale in (1, 2, 4, 8) if scale <= times), default=1)


def reduction(width: int, height: int) -> int:
    """By what whole number a picture can be divided without falling below the largest thumbnail."""
    return max(1, max(width, height) // _LARGEST)


def _in_mb(size: int) -> int:
    return -(-size // _MB)
