"""What a picture says of itself before anything of it is decoded.

Reads a few fixed fields and runs in the server process, where hostile input must do no harm: no library
in C, nothing that is allocated by a number of the file's, and no loop that the file makes long. A worker
compares with what Pillow finds before it decodes (see images).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, BinaryIO

# Enough to tell every format apart.
SIGNATURE_BYTES = 12
# Cameras write some twenty; large profiles and previews come in up to 255 pieces each.
_MOST_SEGMENTS = 2000


class Format(StrEnum):
    """The formats that are taken."""

    GIF = "gif"
    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"

    @property
    def media_type(self) -> str:
        return f"image/{self.value}"


class HeaderError(ValueError):
    """The header is damaged, cut short, or of a kind that is not supported. The message may be shown."""


@dataclass(frozen=True)
class Header:
    """`mode` is the form in which Pillow decodes it. `coefficients` are the bytes that a JPEG decoder
    has to keep of a picture whose parts come one after the other (progressive); else 0."""

    format: Format
    width: int
    height: int
    mode: str
    coefficients: int = 0


def format_of(start: bytes) -> Format | None:
    """By the signature in a file's first bytes; None for anything else."""
    if start.startswith(b"\xff\xd8\xff"):
        return Format.JPEG
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return Format.PNG
    if start.startswith((b"GIF87a", b"GIF89a")):
        return Format.GIF
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return Format.WEBP
    return None


def read_header(file: BinaryIO) -> Header:
    """Of a file at its beginning. Raises HeaderError, and OSError when it cannot be read."""
    found = format_of(file.read(SIGNATURE_BYTES))
    if found is None:
        raise HeaderError("The content is not a picture of a known format")
    file.seek(0)
    header = _READERS[found](file)
    if header.width == 0 or header.height == 0:
        raise HeaderError("The picture has no pixels")
    return header


def _gif(file: BinaryIO) -> Header:
    """GIF89a specification, section 18."""
    _, width, height = _unpack(file, "<6sHH")
    return Header(Format.GIF, width, height, "P")


def _png(file: BinaryIO) -> Header:
    """PNG specification, section 11.2.1 (IHDR)."""
    _, length, kind, width, height, depth, colour = _unpack(file, ">8sI4sIIBB")
    mode = _PNG_MODES.get((colour, depth))
    if kind != b"IHDR" or length != 13 or mode is None or max(width, height) >= 1 << 31:
        raise HeaderError("The picture's header is damaged")
    return Header(Format.PNG, width, height, mode)


def _webp(file: BinaryIO) -> Header:
    """RFC 9649, sections 2.5 to 2.7 and 3.4; RFC 6386, section 9.1."""
    _, chunk = _unpack(file, "<12s4s4x")
    if chunk == b"VP8X":
        flags, canvas = _unpack(file, "<B3x6s")
        width = 1 + int.from_bytes(canvas[:3], "little")
        height = 1 + int.from_bytes(canvas[3:], "little")
        return Header(Format.WEBP, width, height, "RGBA" if flags & 0x10 else "RGB")
    if chunk == b"VP8L":
        signature, bits = _unpack(file, "<BI")
        if signature == 0x2F:
            alpha = bits >> 28 & 1
            width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
            return Header(Format.WEBP, width, height, "RGBA" if alpha else "RGB")
    if chunk == b"VP8 ":
        start_code, width, height = _unpack(file, "<3x3sHH")
        if start_code == b"\x9d\x01\x2a":
            return Header(Format.WEBP, width & 0x3FFF, height & 0x3FFF, "RGB")
    raise HeaderError("The picture's header is damaged")


def _jpeg(file: BinaryIO) -> Header:
    """ITU-T T.81, annex B: segments up to the first scan."""
    file.seek(2)
    frame: tuple[int, bytes] | None = None
    for _ in range(_MOST_SEGMENTS):
        marker = _marker(file)
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # segments without content
            continue
        (length,) = _unpack(file, ">H")
        if length < 2 or marker == 0xD9:
            break
        if marker in (0xC0, 0xC1, 0xC2) and frame is None:
            frame = marker, _read(file, length - 2)
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            raise HeaderError("JPEG of this kind is not supported")
        elif marker == 0xDA:
            if frame is None:
                break
            return _frame(frame[1], progressive=frame[0] == 0xC2, in_scan=_read(file, 1)[0])
        else:
            file.seek(length - 2, 1)
    raise HeaderError("The picture's header is damaged")


def _marker(file: BinaryIO) -> int:
    byte = _read(file, 1)
    if byte != b"\xff":
        raise HeaderError("The picture's header is damaged")
    for _ in range(_MOST_SEGMENTS):  # a marker may be padded
        byte = _read(file, 1)
        if byte != b"\xff":
            return byte[0]
    raise HeaderError("The picture's header is damaged")


def _frame(frame: bytes, *, progressive: bool, in_scan: int) -> Header:
    if len(frame) < 6 or frame[5] not in _JPEG_MODES or len(frame) < 6 + 3 * frame[5]:
        raise HeaderError("The picture's header is damaged")
    precision, height, width, components = struct.unpack(">BHHB", frame[:6])
    if precision != 8:
        raise HeaderError("JPEG of this kind is not supported")
    sampling = [(frame[7 + 3 * i] >> 4, frame[7 + 3 * i] & 15) for i in range(components)]
    if any(not 1 <= factor <= 4 for pair in sampling for factor in pair):
        raise HeaderError("The picture's header is damaged")
    across, down = max(pair[0] for pair in sampling), max(pair[1] for pair in sampling)
    units = -(-width // (8 * across)) * -(-height // (8 * down))
    # 64 coefficients of 2 bytes in a block.
    kept = 128 * units * sum(h * v for h, v in sampling) if progressive or in_scan < components else 0
    return Header(Format.JPEG, width, height, _JPEG_MODES[components], kept)


def _unpack(file: BinaryIO, layout: str) -> tuple[Any, ...]:
    return struct.unpack(layout, _read(file, struct.calcsize(layout)))


def _read(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise HeaderError("The picture is cut short")
    return content


_READERS: Mapping[Format, Callable[[BinaryIO], Header]] = {
    Format.GIF: _gif,
    Format.JPEG: _jpeg,
    Format.PNG: _png,
    Format.WEBP: _webp,
}
_JPEG_MODES: Mapping[int, str] = {1: "L", 3: "RGB", 4: "CMYK"}
_PNG_MODES: Mapping[tuple[int, int], str] = {
    (0, 1): "1",
    **{(0, depth): "L" for depth in (2, 4, 8)},
    (0, 16): "I;16",
    **{(2, depth): "RGB" for depth in (8, 16)},
    **{(3, depth): "P" for depth in (1, 2, 4, 8)},
    **{(4, depth): "LA" for depth in (8, 16)},
    **{(6, depth): "RGBA" for depth in (8, 16)},
}
