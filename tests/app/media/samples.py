"""Pictures that the tests upload, made when they are needed."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image

TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}


def gradient(mode: str = "RGB", size: tuple[int, int] = (640, 400)) -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert(mode)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(kind: str = "JPEG", size: tuple[int, int] = (640, 400), seed: int = 0, **options: Any) -> bytes:
    """Another seed is another content."""
    drawn = gradient("RGB", size)
    drawn.putpixel((0, 0), (seed & 255, seed >> 8 & 255, 0))
    # A lossy format would make one content of two seeds.
    comment = {"comment": f"seed {seed}"} if kind == "JPEG" else {}
    return encoded(drawn, kind, **comment, **options)


def decoded(content: bytes) -> Image.Image:
    opened = Image.open(io.BytesIO(content))
    opened.load()
    return opened


def png_header(width: int, height: int, colour: int = 2) -> bytes:
    """A PNG that is nothing but its header: a decompression bomb before it is lit."""
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + checksum


def webp_header(width: int, height: int) -> bytes:
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0" + canvas


def gif_header(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0)
