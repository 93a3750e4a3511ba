"""What decoding takes is told from the header: never less than it really takes, and not far more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from medianest.media.headers import Format, Header, read_header
from medianest.media.limits import Limits, decoding_bytes, jpeg_scale, problem_with, reduction
from PIL import Image

MB = 1024 * 1024
LIMITS = Limits(size=20 * MB, pixels=100_000_000, memory=72 * MB)


def test_the_settings_say_what_there_is() -> None:
    assert Limits.of(20, 100) == LIMITS
    assert Limits.of(1, 28).memory == 0


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (Header(Format.JPEG, 12_000, 8_000, "RGB"), None),
        (Header(Format.JPEG, 10_001, 10_000, "RGB"), "The picture has 100010000 pixels"),
        (Header(Format.JPEG, 6_000, 4_000, "RGB", coefficients=72_000_000), "would take 87 MB"),
        (Header(Format.JPEG, 4_000, 3_000, "RGB", coefficients=36_000_000), None),
        (Header(Format.PNG, 3_500, 3_500, "RGB"), None),
        (Header(Format.PNG, 3_900, 3_900, "RGB"), "would take 77 MB"),
        (Header(Format.PNG, 6_000, 6_000, "P"), None),
        (Header(Format.GIF, 9_999, 9_999, "P"), "would take 116 MB"),
        (Header(Format.WEBP, 1_800, 1_800, "RGB"), None),
        (Header(Format.WEBP, 2_200, 2_200, "RGB"), "would take 91 MB"),
        # Libraries that trust such a header have been made to take all the memory there is.
        (Header(Format.PNG, 2_147_483_647, 2_147_483_647, "RGBA"), "pixels: at most 100000000"),
    ],
)
def test_pictures_that_are_too_large(header: Header, expected: str | None) -> None:
    problem = problem_with(header, 1000, LIMITS)
    if expected is None:
        assert problem is None
    else:
        assert problem is not None
        assert expected in problem


@pytest.mark.parametrize(
    ("width", "height", "scale", "factor"),
    [
        (100, 100, 1, 1),
        (1280, 900, 1, 1),
        (2559, 100, 1, 1),
        (2560, 2560, 2, 2),
        (100, 5119, 2, 3),
        (5120, 1, 4, 4),
        (65_500, 65_500, 8, 51),
    ],
)
def test_how_much_smaller_a_picture_can_be_read(width: int, height: int, scale: int, factor: int) -> None:
    assert jpeg_scale(width, height) == scale
    assert reduction(width, height) == factor


MEASURE = """
import json, sys
from pathlib import Path
from medianest.media.images import thumbnails
from medianest.media.limits import SIZES
def figure(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
before = figure("VmRSS")
folder = Path(sys.argv[1]).parent
thumbnails(Path(sys.argv[1]), {size: folder / f"{size}.webp" for size in SIZES}, folder)
print(json.dumps({"before": before, "peak": figure("VmHWM")}))
"""

MEASURED: list[tuple[str, str, tuple[int, int], dict[str, Any]]] = [
    ("JPEG", "RGB", (6000, 4000), {}),
    ("JPEG", "RGB", (2559, 2559), {}),
    ("JPEG", "RGB", (2559, 2559), {"progressive": True, "subsampling": 0}),
    ("JPEG", "CMYK", (2559, 2559), {}),
    ("PNG", "RGB", (3500, 3500), {}),
    ("PNG", "RGBA", (2559, 2559), {}),
    ("PNG", "LA", (3000, 3000), {}),
    ("PNG", "P", (6000, 6000), {}),
    ("PNG", "1", (7000, 7000), {}),
    ("GIF", "P", (6000, 6000), {}),
    ("WEBP", "RGB", (1850, 1850), {}),
    ("WEBP", "RGBA", (1850, 1850), {"lossless": True, "method": 0}),
]


@pytest.mark.parametrize(("kind", "mode", "size", "options"), MEASURED)
def test_decoding_takes_what_was_reckoned(
    tmp_path: Path, kind: str, mode: str, size: tuple[int, int], options: dict[str, Any]
) -> None:
    path = tmp_path / "picture"
    noise = Image.effect_noise((size[0] // 4, size[1] // 4), 60).resize(size).convert(mode)
    noise.save(path, kind, **options)
    with path.open("rb") as file:
        reckoned = decoding_bytes(read_header(file), path.stat().st_size)
    # As in a worker: what was taken goes back to the system.
    environment = {
        "PYTHONPATH": os.environ["PYTHONPATH"],
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_MMAP_THRESHOLD_": "1048576",
    }
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    figures = json.loads(run.stdout)
    taken = figures["peak"] - figures["before"]
    assert 0.7 * reckoned < taken < reckoned
    assert figures["before"] < 28 * MB
