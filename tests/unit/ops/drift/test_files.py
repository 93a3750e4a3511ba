from __future__ import annotations

import io
import tarfile
from dataclasses import replace

import pytest

from ops.drift import files
from ops.drift.files import LiveFile, TooLargeError, compare_files, unpacked
from ops.drift.model import ABSENT, OTHER, Mending
from ops.plan.model import MASKED
from tests.unit.ops.drift.recorded_stack import documents

PATH = "/etc/haproxy/haproxy.cfg"
LOADER = documents("loader").recorded
RIGHT = LiveFile(b"global\n", "99", "99", "0444")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({PATH: RIGHT}, []),
        ({}, [("existence", "there", "gone")]),
        ({PATH: replace(RIGHT, content=b"other")}, [("content", "a text", OTHER)]),
        ({PATH: replace(RIGHT, content=None)}, [("content", "a text", OTHER)]),
        ({PATH: replace(RIGHT, owner="0")}, [("owner", "99", "0")]),
        ({PATH: replace(RIGHT, mode="0644")}, [("mode", "0444", "0644")]),
        ({PATH: RIGHT, "/etc/haproxy/more": RIGHT}, [("existence", ABSENT, "there")]),
    ],
)
def test_a_file_that_is_not_as_written_is_told(
    found: dict[str, LiveFile], expected: list[tuple[str, str, str]]
) -> None:
    told = compare_files(LOADER, found, LOADER.inputs, None, (), serves=True)
    assert [(item.property, item.recorded, item.live) for item in told] == expected


def test_secret_files_show_neither_value_nor_length() -> None:
    secret = replace(LOADER, secret=frozenset({"uploads"}))
    masked = {"uploads": MASKED}
    (told,) = compare_files(secret, {PATH: LiveFile(b"typed", "99", "99")}, masked, None, (), serves=True)
    assert (told.declared, told.recorded, told.live) == (MASKED, MASKED, OTHER)
    assert "typed" not in repr(told) + repr(LiveFile(b"typed"))


def test_a_file_too_many_makes_the_volume_anew_and_says_whom_that_interrupts() -> None:
    volume, reader = replace(LOADER, urn="urn:volume"), documents("gateway").recorded
    (told,) = compare_files(LOADER, {PATH: RIGHT, "/x": RIGHT}, LOADER.inputs, volume, [reader], serves=True)
    assert (told.urn, told.mending) == ("urn:volume", Mending.REPLACE)
    assert told.interruption is not None
    assert told.interruption.part == "gateway"


def archive(**contents: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        directory = tarfile.TarInfo("haproxy/")
        directory.type = tarfile.DIRTYPE
        tar.addfile(directory)
        for name, content in contents.items():
            entry = tarfile.TarInfo(f"haproxy/{name}")
            entry.size, entry.uid, entry.gid, entry.mode = len(content), 99, 98, 0o440
            tar.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("haproxy/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return buffer.getvalue()


def test_an_archive_is_read_by_path() -> None:
    found = unpacked([archive(one=b"1")], "/etc/haproxy")
    assert found["/etc/haproxy/one"] == LiveFile(b"1", "99", "98", "0440")
    assert found["/etc/haproxy/link"].content is None


def test_an_archive_beyond_bounds_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST_BYTES", 10)
    with pytest.raises(TooLargeError):
        unpacked([archive(one=b"1")], "/etc/haproxy")
