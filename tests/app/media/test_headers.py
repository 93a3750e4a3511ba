import io
import struct
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from medianest.media.headers import Format, Header, HeaderError, format_of, read_header

from media.samples import encoded, gif_header, gradient, picture, png_header, webp_header

ENCODED: list[tuple[str, str, dict[str, Any], str]] = [
    ("JPEG", "L", {}, "L"),
    ("JPEG", "RGB", {"quality": 20}, "RGB"),
    ("JPEG", "RGB", {"exif": b"Exif\0\0" + b"x" * 60_000, "icc_profile": b"y" * 150_000}, "RGB"),
    ("JPEG", "CMYK", {}, "CMYK"),
    ("PNG", "1", {}, "1"),
    ("PNG", "L", {}, "L"),
    ("PNG", "P", {"bits": 4}, "P"),
    ("PNG", "LA", {}, "LA"),
    ("PNG", "RGB", {}, "RGB"),
    ("PNG", "RGBA", {}, "RGBA"),
    ("PNG", "I;16", {}, "I;16"),
    ("GIF", "P", {}, "P"),
    ("WEBP", "RGB", {}, "RGB"),
    ("WEBP", "RGB", {"lossless": True}, "RGB"),
    ("WEBP", "RGBA", {}, "RGBA"),
    ("WEBP", "RGBA", {"lossless": True}, "RGBA"),
    ("WEBP", "RGB", {"exif": b"Exif\0\0MM"}, "RGB"),
]


def header_of(content: bytes) -> Header:
    return read_header(io.BytesIO(content))


@pytest.mark.parametrize(("kind", "mode", "options", "found"), ENCODED)
def test_it_finds_what_an_encoder_wrote(kind: str, mode: str, options: dict[str, Any], found: str) -> None:
    drawn = (
        gradient("L", (301, 17)).convert("I").convert("I;16") if mode == "I;16" else gradient(mode, (301, 17))
    )
    if mode in ("RGBA", "LA"):
        drawn.putpixel((0, 0), (0,) * len(drawn.getbands()))
    content = encoded(drawn, kind, **options)
    assert format_of(content) == Format(kind.lower())
    header = header_of(content)
    assert (header.format, header.width, header.height) == (Format(kind.lower()), 301, 17)
    assert (header.mode, header.coefficients) == (found, 0)


@pytest.mark.parametrize(
    ("size", "subsampling", "expected"),
    [
        ((160, 160), 0, 160 * 160 * 3 * 2),
        ((160, 160), 2, 160 * 160 * 3),
        ((161, 161), 2, 176 * 176 * 3),
    ],
)
def test_a_progressive_jpeg_tells_what_its_decoder_keeps(
    size: tuple[int, int], subsampling: int, expected: int
) -> None:
    content = encoded(gradient("RGB", size), "JPEG", progressive=True, subsampling=subsampling)
    assert header_of(content).coefficients == expected


def test_so_does_one_that_is_not_progressive_but_in_several_scans() -> None:
    content = encoded(gradient("RGB", (160, 160)), "JPEG", subsampling=0)
    scan = content.index(b"\xff\xda")
    # One component in the first scan rather than three.
    single = content[:scan] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + content[scan + 14 :]
    assert header_of(single).coefficients == 160 * 160 * 3 * 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The content is not a picture of a known format"),
        (b"RIFF\0\0\0\0WAVE" + b"\0" * 30, "The content is not a picture of a known format"),
        (png_header(10, 10)[:20], "The picture is cut short"),
        (png_header(0, 10), "The picture has no pixels"),
        (png_header(10, 10, colour=7), "The picture's header is damaged"),
        (png_header(1 << 31, 10), "The picture's header is damaged"),
        (png_header(10, 10).replace(b"IHDR", b"JHDR"), "The picture's header is damaged"),
        (gif_header(10, 0), "The picture has no pixels"),
        (webp_header(10, 10)[:25], "The picture is cut short"),
        (webp_header(10, 10).replace(b"VP8X", b"VP9X"), "The picture's header is damaged"),
        (b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0" + b"\x30" * 9, "The picture's header is damaged"),
        (b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0" + b"\x30" * 19, "The picture's header is damaged"),
        (b"\xff\xd8\xff\xd9\x00\x02", "The picture's header is damaged"),
        (b"\xff\xd8\xff\xda\x00\x02", "The picture's header is damaged"),
        (b"\xff\xd8\xff\xe0\x00\x01", "The picture's header is damaged"),
        (b"\xff\xd8\xff\xe0\x00\x02\x00", "The picture's header is damaged"),
        (b"\xff\xd8\xff\xc0\x00\x04\x08\x00", "The picture is cut short"),
        (b"\xff\xd8\xff\xc0\x00\x04\x08\x00\xff\xda\x00\x0c\x03", "The picture's header is damaged"),
        (b"\xff\xd8\xff\xc3\x00\x0b" + b"\0" * 9, "JPEG of this kind is not supported"),
        (b"\xff\xd8" + b"\xff" * 5000, "The picture's header is damaged"),
        (b"\xff\xd8" + b"\xff\xd0" * 5000, "The picture's header is damaged"),
    ],
)
def test_what_is_no_header_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(HeaderError, match=message):
        header_of(content)


def jpeg_frame(frame: bytes, scan: bytes = b"\xff\xda\x00\x0c\x03") -> bytes:
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + scan


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"\x08\x00\x10\x00\x10\x01\x01\x11\x00", None),
        (b"\x0c\x00\x10\x00\x10\x01\x01\x11\x00", "JPEG of this kind is not supported"),
        (b"\x08\x00\x10\x00\x10\x01\x01\x50\x00", "The picture's header is damaged"),
        (b"\x08\x00\x10\x00\x10\x02\x01\x11\x00\x02\x11\x00", "The picture's header is damaged"),
        (b"\x08\x00\x10\x00\x10\x03\x01\x11\x00", "The picture's header is damaged"),
        (b"\x08\x00\x00\x00\x10\x01\x01\x11\x00", "The picture has no pixels"),
    ],
)
def test_the_frame_of_a_jpeg_must_make_sense(frame: bytes, message: str | None) -> None:
    if message is None:
        assert header_of(jpeg_frame(frame)) == Header(Format.JPEG, 16, 16, "L")
    else:
        with pytest.raises(HeaderError, match=message):
            header_of(jpeg_frame(frame))


def test_a_jpeg_has_one_frame() -> None:
    frame = b"\x08\x00\x10\x00\x10\x01\x01\x11\x00"
    twice = b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xda\x00\x0c\x03"
    with pytest.raises(HeaderError):
        header_of(jpeg_frame(frame, twice))


SOUND = [
    encoded(gradient(mode, (40, 30)), kind, **options) for kind, mode, options, _ in ENCODED if mode != "I;16"
]


@settings(max_examples=600)
@given(st.data())
def test_nothing_else_ever_comes_of_any_content(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.one_of(st.sampled_from(SOUND), st.binary(max_size=200))))
    for _ in range(data.draw(st.integers(0, 8))):
        if content:
            content[data.draw(st.integers(0, min(len(content), 120) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    try:
        header = header_of(bytes(content[:cut]))
    except HeaderError:
        return
    assert header.width > 0
    assert header.height > 0


def test_a_file_full_of_segments_takes_no_time() -> None:
    started = time.monotonic()
    with pytest.raises(HeaderError):
        header_of(b"\xff\xd8" + b"\xff\xe0\x00\x02" * 5_000_000)
    assert time.monotonic() - started < 1


def test_samples_differ_by_their_seed() -> None:
    assert len({picture(kind, seed=seed) for kind in ("JPEG", "PNG") for seed in range(5)}) == 10
