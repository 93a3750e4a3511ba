"""Pictures for uploads, without a library for them on this side."""

from __future__ import annotations

import struct
import zlib

WIDTH, HEIGHT = 64, 48


def png(number: int) -> bytes:
    """A small PNG whose content no other number has (https://www.w3.org/TR/png-3/)."""
    pixel = (number % 2**24).to_bytes(3, "big")
    rows = b"".join(b"\0" + pixel * (WIDTH - 1) + bytes([row, row, row]) for row in range(HEIGHT))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
