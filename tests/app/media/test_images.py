"""Thumbnails, made in this process; that they are made in workers is shown by test_routes."""

from __future__ import annotations

import errno
import io
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from medianest.media import tasks
from medianest.media.frames import MOST_FRAMES
from medianest.media.images import UnusablePictureError, thumbnails
from medianest.media.limits import SIZES
from PIL import ExifTags, Image, ImageCms

from media.samples import decoded, encoded, gif_header, gradient, picture, png_header


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path


def made(folder: Path, content: bytes) -> tuple[dict[str, str | int], dict[int, Image.Image]]:
    """The metadata and the thumbnails of a picture. Nothing else is left behind."""
    original = folder / "original"
    original.write_bytes(content)
    targets = {size: folder / f"{size}.webp" for size in SIZES}
    found = thumbnails(original, targets, folder / "scratch")
    assert list((folder / "scratch").iterdir()) == []
    return found, {size: decoded(path.read_bytes()) for size, path in targets.items()}


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((4000, 2000), [(160, 80), (480, 240), (1280, 640)]),
        ((1281, 2562), [(80, 160), (240, 480), (640, 1280)]),
        ((300, 200), [(160, 107), (300, 200), (300, 200)]),
        ((1, 1), [(1, 1)] * 3),
        ((5000, 1), [(160, 1), (480, 1), (1280, 1)]),
        ((1, 20_000), [(1, 160), (1, 480), (1, 1280)]),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_longest_side_is_fitted_and_nothing_enlarged(
    folder: Path, kind: str, size: tuple[int, int], expected: list[tuple[int, int]]
) -> None:
    found, drawn = made(folder, encoded(gradient("RGB", size), kind))
    assert [drawn[longest].size for longest in SIZES] == expected
    assert (found["width"], found["height"]) == size


MODES: list[tuple[str, str, dict[str, Any]]] = [
    ("JPEG", "L", {}),
    ("JPEG", "RGB", {"progressive": True}),
    ("JPEG", "CMYK", {}),
    ("PNG", "1", {}),
    ("PNG", "L", {}),
    ("PNG", "LA", {}),
    ("PNG", "P", {}),
    ("PNG", "RGB", {}),
    ("PNG", "RGBA", {}),
    ("PNG", "I;16", {}),
    ("GIF", "P", {}),
    ("WEBP", "RGB", {"lossless": True}),
    ("WEBP", "RGBA", {}),
]


@pytest.mark.parametrize("side", [300, 3000])
@pytest.mark.parametrize(("kind", "mode", "options"), MODES)
def test_every_kind_of_pixel_looks_the_same_afterwards(
    folder: Path, kind: str, mode: str, options: dict[str, Any], side: int
) -> None:
    drawn = gradient("L", (side, side))
    if mode == "I;16":
        drawn = drawn.convert("I").point(lambda value: value * 257).convert("I;16")
    found, thumbnails_made = made(folder, encoded(drawn.convert(mode), kind, **options))
    assert found["mode"] in (mode, "L", "RGB")  # a GIF of grays, a WebP without transparency
    for thumbnail in thumbnails_made.values():
        gray = thumbnail.convert("L")
        middle = gray.width // 2
        shades = [gray.resize((1, 3), Image.Resampling.BOX).getpixel((0, row)) for row in range(3)]
        # A gradient from black to white, downwards.
        assert shades == pytest.approx([42, 127, 212], abs=9), (mode, middle)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True})],
)
@pytest.mark.parametrize("side", [200, 2600])
def test_what_is_transparent_stays_so(folder: Path, kind: str, options: dict[str, Any], side: int) -> None:
    drawn = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    drawn.paste((255, 0, 0, 255), (0, 0, side // 2, side))
    _, thumbnails_made = made(folder, encoded(drawn, kind, **options))
    small = thumbnails_made[160]
    assert small.mode == "RGBA"
    assert small.getpixel((150, 80))[3] == 0  # type: ignore[index]
    # No dark seam from colours that nobody sees.
    assert small.getpixel((40, 80)) == pytest.approx((254, 0, 0, 255), abs=6)
    assert small.getpixel((78, 80))[0] > 200  # type: ignore[index]


def test_so_does_a_palette_with_a_transparent_colour(folder: Path) -> None:
    drawn = Image.new("P", (400, 400), 1)
    drawn.putpalette([0, 0, 0, 0, 200, 0])
    drawn.paste(0, (0, 0, 200, 400))
    for kind in ("PNG", "GIF"):
        _, thumbnails_made = made(folder, encoded(drawn, kind, transparency=0))
        alpha = thumbnails_made[160].getchannel("A")
        assert (alpha.getpixel((20, 80)), alpha.getpixel((140, 80))) == (0, 255)


def test_sixteen_bits_with_a_transparent_shade(folder: Path) -> None:
    drawn = Image.new("I;16", (100, 100), 40_000)
    drawn.paste(65_535, (0, 0, 50, 100))
    content = encoded(drawn, "PNG", transparency=65_535)
    _, thumbnails_made = made(folder, content)
    small = thumbnails_made[160]
    assert small.getpixel((80, 50)) == pytest.approx((155, 155, 155, 255), abs=4)
    assert small.getchannel("A").getpixel((10, 50)) == 0


@pytest.mark.parametrize(
    ("orientation", "corner"),
    list(enumerate(["top left", "top right", "bottom right", "bottom left"] * 2, start=1)),
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_turned_picture_is_put_upright(folder: Path, kind: str, orientation: int, corner: str) -> None:
    drawn = Image.new("RGB", (400, 200))
    drawn.paste((255, 255, 255), (0, 0, 100, 50))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    found, thumbnails_made = made(folder, encoded(drawn, kind, exif=exif))
    turned = orientation > 4
    assert (found["width"], found["height"]) == ((200, 400) if turned else (400, 200))
    small = thumbnails_made[160].convert("L")
    assert small.size == ((80, 160) if turned else (160, 80))
    down, across = corner.split()
    bright = small.getpixel(
        (5 if across == "left" else small.width - 6, 5 if down == "top" else small.height - 6)
    )
    assert bright > 240  # type: ignore[operator]
    opposite = small.getpixel(
        (5 if across != "left" else small.width - 6, 5 if down != "top" else small.height - 6)
    )
    assert opposite < 15  # type: ignore[operator]


def camera(**changes: Any) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = changes.get("make", "ACME")
    exif[ExifTags.Base.Model] = changes.get("model", "Snap 7")
    exif[ExifTags.Base.DateTime] = changes.get("changed", "2024:05:06 07:08:09")
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = changes.get("taken", "2024:05:01 12:13:14")
    details[ExifTags.Base.OffsetTimeOriginal] = changes.get("offset", "+02:00")
    position = exif.get_ifd(ExifTags.IFD.GPSInfo)
    position[ExifTags.GPS.GPSLatitudeRef] = "N"
    position[ExifTags.GPS.GPSLatitude] = (48.0, 51.0, 30.0)
    return exif


def test_the_camera_is_known_and_the_place_is_not(folder: Path) -> None:
    content = encoded(gradient(), "JPEG", exif=camera(), comment="home", xmp=b"<x:xmpmeta>home</x:xmpmeta>")
    assert decoded(content).getexif().get_ifd(ExifTags.IFD.GPSInfo)
    found, thumbnails_made = made(folder, content)
    assert found == {
        "format": "jpeg",
        "width": 640,
        "height": 400,
        "mode": "RGB",
        "frames": 1,
        "taken_at": "2024-05-01T12:13:14+02:00",
        "camera_make": "ACME",
        "camera_model": "Snap 7",
    }
    for thumbnail in thumbnails_made.values():
        assert dict(thumbnail.getexif()) == {}
        assert thumbnail.info.keys() & {"exif", "xmp", "icc_profile", "comment"} == set()
    for size in SIZES:
        raw = (folder / f"{size}.webp").read_bytes()
        assert b"EXIF" not in raw
        assert b"ACME" not in raw


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"make": "A\0\x1b[31mB\nc" + "x" * 99}, {"camera_make": "A [31mB c" + "x" * 55}),
        ({"make": "\x01\x02", "model": " "}, {"camera_make": None, "camera_model": None}),
        ({"offset": "+99:00"}, {"taken_at": "2024-05-01T12:13:14"}),
        ({"taken": "0000:00:00 00:00:00"}, {"taken_at": "2024-05-06T07:08:09"}),
        ({"taken": "soon", "changed": "2024:13:01 00:00:00"}, {"taken_at": None}),
    ],
)
def test_what_is_not_sane_is_left_out(
    folder: Path, changes: dict[str, Any], expected: dict[str, str | None]
) -> None:
    found, _ = made(folder, encoded(gradient(), "JPEG", exif=camera(**changes)))
    assert {key: found.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"\xff" * 5000]
)
def test_damaged_metadata_say_nothing(folder: Path, exif: bytes) -> None:
    found, _ = made(folder, encoded(gradient(), "JPEG", exif=exif))
    assert found.keys() == {"format", "width", "height", "mode", "frames"}


def test_colours_are_those_of_the_web(folder: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    drawn = Image.new("RGB", (50, 50), (200, 30, 60))
    for profile in (srgb, lab, b"not a profile"):  # the second does not fit, the third is none
        _, thumbnails_made = made(folder, encoded(drawn, "PNG", icc_profile=profile))
        assert thumbnails_made[160].getpixel((9, 9)) == pytest.approx((200, 30, 60), abs=6)
    transparent = Image.new("RGBA", (50, 50), (200, 30, 60, 128))
    _, thumbnails_made = made(folder, encoded(transparent, "PNG", icc_profile=srgb))
    assert thumbnails_made[160].getpixel((9, 9)) == pytest.approx((200, 30, 60, 128), abs=6)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_shown(folder: Path, kind: str) -> None:
    frames = [Image.new("RGB", (200, 100), (shade, shade, shade)) for shade in (250, 120, 10)]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    found, thumbnails_made = made(folder, content)
    assert found["frames"] == 3
    assert thumbnails_made[160].convert("L").getpixel((80, 40)) == pytest.approx(250, abs=4)


FRAME = b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"


def test_a_gif_of_very_many_frames_is_refused(folder: Path) -> None:
    found, _ = made(folder, gif_header(1, 1) + b"!\xf9\x04\0\0\0\0\0" + FRAME * MOST_FRAMES + b";")
    assert found["frames"] == MOST_FRAMES
    for content in (
        gif_header(1, 1) + FRAME * (MOST_FRAMES + 1) + b";",
        gif_header(1, 1) + b"!\xfe" + b"\x01x" * 500_000 + b"\0" + FRAME + b";",
    ):
        with pytest.raises(UnusablePictureError, match="too many frames: at most 10000 are taken"):
            made(folder, content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("part", [0.3, 0.7])
def test_a_picture_that_is_cut_short_is_refused(folder: Path, kind: str, part: float) -> None:
    noise = Image.effect_noise((300, 300), 90).convert("RGB")
    content = encoded(noise, kind)
    with pytest.raises(UnusablePictureError, match="The picture is damaged or cut short"):
        made(folder, content[: int(len(content) * part)])
    assert sorted(path.name for path in folder.iterdir()) == ["original", "scratch"]


def test_a_picture_larger_than_its_header_says_is_refused(folder: Path) -> None:
    # A first frame of 5,000 x 5,000 on a screen of 1 x 1, which Pillow would make room for.
    frame = b",\0\0\0\0\x88\x13\x88\x13\0\x02\x02D\x01\0;"
    with pytest.raises(UnusablePictureError, match="The picture contradicts its own header"):
        made(folder, gif_header(1, 1) + frame)


def test_a_picture_that_is_only_a_header_is_refused(folder: Path) -> None:
    with pytest.raises(UnusablePictureError, match="The picture is damaged or cut short"):
        made(folder, png_header(100, 100))
    with pytest.raises(UnusablePictureError, match="The picture is cut short"):
        made(folder, png_header(100, 100)[:20])


def test_made_twice_they_are_the_same_files(folder: Path) -> None:
    made(folder, picture())
    first = {size: (folder / f"{size}.webp").read_bytes() for size in SIZES}
    made(folder, picture())
    assert {size: (folder / f"{size}.webp").read_bytes() for size in SIZES} == first


@pytest.fixture
def small_files() -> Iterator[None]:
    """Nothing longer than 100 bytes can be written, as on a volume that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_without_room_nothing_is_left(folder: Path, request: pytest.FixtureRequest) -> None:
    original = folder / "original"
    original.write_bytes(picture())
    request.getfixturevalue("small_files")
    with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        thumbnails(original, {160: folder / "160.webp"}, folder / "scratch")
    assert sorted(path.name for path in folder.iterdir()) == ["original", "scratch"]
    assert list((folder / "scratch").iterdir()) == []


def test_as_a_task_it_returns_what_was_found_or_what_is_wrong(folder: Path) -> None:
    original = folder / "original"
    arguments = {
        "original": str(original),
        "targets": {"160": str(folder / "160.webp")},
        "scratch": str(folder),
    }
    original.write_bytes(picture("PNG", (9, 8)))
    task = tasks.TASKS["thumbnails"]
    metadata = {"format": "png", "width": 9, "height": 8, "mode": "RGB", "frames": 1}
    assert task(**arguments) == {"metadata": metadata}
    original.write_bytes(b"GIF89a")
    assert task(**arguments) == {"problem": "The picture is cut short"}
    original.unlink()
    with pytest.raises(FileNotFoundError):
        task(**arguments)


def test_the_samples_are_what_they_say() -> None:
    assert Image.open(io.BytesIO(picture("WEBP"))).format == "WEBP"
