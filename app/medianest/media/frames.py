"""How many pictures a GIF holds, without decoding any."""

from __future__ import annotations

from typing import BinaryIO

MOST_FRAMES = 10_000
# A GIF of 20 MB in blocks of the usual 255 bytes has 80,000.
_MOST_BLOCKS = 400_000


class TooManyFramesError(ValueError):
    """More than MOST_FRAMES, or in pieces so small that counting them would take long."""


def gif_frames(file: BinaryIO) -> int:
    """Of a file at its beginning, as the GIF89a specification lays it out (sections 15 to 23).

    A file that is cut short has as many as have begun. Raises TooManyFramesError.
    """
    file.seek(10)
    _skip_colours(file, file.read(1))
    file.seek(2, 1)
    frames = blocks = 0
    while (introducer := file.read(1)) in (b"!", b","):
        if introducer == b",":
            frames += 1
            file.seek(8, 1)
            _skip_colours(file, file.read(1))
        file.seek(1, 1)  # the kind of extension, or the size of a code
        while size := file.read(1)[:1]:
            blocks += 1
            if size == b"\0":
                break
            file.seek(size[0], 1)
        if frames > MOST_FRAMES or blocks > _MOST_BLOCKS:
            raise TooManyFramesError(f"The picture has too many frames: at most {MOST_FRAMES} are taken")
    return frames


def _skip_colours(file: BinaryIO, flags: bytes) -> None:
    if flags and flags[0] & 0x80:
        file.seek(3 << (flags[0] & 7) + 1, 1)
