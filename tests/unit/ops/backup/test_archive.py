"""The backup's file: what goes in comes out, and nothing that was changed does."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.backup import archive, sealed
from ops.backup.archive import ArchiveReader, ArchiveWriter
from ops.backup.manifest import Database, Manifest, Part, Table, differences
from ops.backup.sealed import DamagedFileError, Keys, WrongKeyError, key_identity, read_header
from ops.errors import OperationError

KEY = "a" * 43
PASSPHRASE = "a passphrase that is long enough"
DATABASE = Database("d", "u", 170006, ["u"], {"public.users": Table(2, "77")})


def manifest(parts: list[Part]) -> Manifest:
    return Manifest("p", "s", "0123", "abcd", "2026-11-24T03:00:00+00:00", DATABASE, ["notes"], parts)


def written(parts: dict[str, list[bytes]], passphrase: str | None = None) -> bytes:
    file = io.BytesIO()
    writer = ArchiveWriter(file, {"stack": "s"}, KEY, passphrase)
    for name, content in parts.items():
        writer.add(name, content)
    writer.finish(manifest(writer.parts))
    return file.getvalue()


def reader(content: bytes, keys: Keys = Keys([KEY])) -> ArchiveReader:  # noqa: B008 - frozen
    return ArchiveReader(io.BytesIO(content), keys)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks and pieces so small that every edge is met, and a passphrase that is quickly stretched."""
    monkeypatch.setattr(sealed, "CHUNK_BYTES", 64)
    monkeypatch.setattr(archive, "PIECE_BYTES", 32)
    monkeypatch.setattr(sealed, "SCRYPT", {"n": 2, "r": 1, "p": 1})


def contents() -> Iterator[dict[str, list[bytes]]]:
    """Tables of parts: none, empty ones, around the size of a chunk, and by chance from fixed seeds."""
    yield {}
    yield {"database": []}
    yield {"database": [b""], "files/notes": [b"", b"x", b""]}
    for size in (1, 31, 32, 33, 63, 64, 65, 128, 1000):
        yield {"database": [b"z" * size], "files/a": [bytes([number % 251]) for number in range(size)]}
    for seed in range(30):
        chance = random.Random(seed)
        yield {
            f"part/{number}": [
                chance.randbytes(chance.choice([0, 1, 17, 64, 300])) for _ in range(chance.randrange(5))
            ]
            for number in range(chance.randrange(4))
        }


@pytest.mark.parametrize("parts", list(contents()))
def test_what_goes_in_comes_out(parts: dict[str, list[bytes]]) -> None:
    content = written(parts)
    given = {name: b"".join(pieces) for name, pieces in parts.items()}
    assert {name: b"".join(pieces) for name, pieces in reader(content).parts()} == given
    described = reader(content).check()
    assert [part.name for part in described.parts] == list(given)
    assert described.size == sum(map(len, given.values()))
    assert reader(content).manifest() == described
    assert described.database == DATABASE


def test_parts_may_be_skipped() -> None:
    content = written({"a": [b"1" * 500], "b": [b"2" * 500]})
    assert [name for name, _ in reader(content).parts()] == ["a", "b"]


SAMPLE_PARTS = {"database": [bytes(range(256))], "files/notes": [b"note " * 9]}


@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_anywhere_is_noticed(bit: int) -> None:
    content = written(SAMPLE_PARTS, PASSPHRASE)
    for offset in range(len(content)):
        damaged = bytearray(content)
        damaged[offset] ^= 1 << bit
        with pytest.raises(DamagedFileError):
            reader(bytes(damaged)).check()


def test_a_cut_anywhere_is_noticed() -> None:
    content = written(SAMPLE_PARTS)
    for length in range(len(content)):
        with pytest.raises(DamagedFileError):
            reader(content[:length]).check()
        if length > 900:
            with pytest.raises(DamagedFileError):
                reader(content[:length]).manifest()


def test_what_is_added_at_the_end_or_moved_is_noticed() -> None:
    content = written({"database": [random.Random(1).randbytes(1000)]})
    start = len(content) % (64 + 16)
    first, second = content[-800:-720], content[-720:-640]
    assert start >= 0
    for damaged in (
        content + b"x",
        content + content[-80:],
        content[:-800] + second + first + content[-640:],
    ):
        with pytest.raises(DamagedFileError):
            reader(damaged).check()


def test_another_key_opens_nothing_and_the_right_one_is_named() -> None:
    content = written(SAMPLE_PARTS)
    with pytest.raises(WrongKeyError) as caught:
        reader(content, Keys(["b" * 43], PASSPHRASE))
    assert key_identity(KEY) in caught.value.message
    assert "stack s" in caught.value.message
    assert "--key-file" in caught.value.hint
    assert KEY not in caught.value.message


@pytest.mark.parametrize("keys", [Keys(["b" * 43, KEY]), Keys([], PASSPHRASE), Keys([KEY], "wrong")])
def test_a_former_key_and_the_passphrase_open_it_too(keys: Keys) -> None:
    content = written(SAMPLE_PARTS, PASSPHRASE)
    assert reader(content, keys).check().stack == "s"


def test_a_passphrase_that_can_be_guessed_gets_no_slot() -> None:
    content = written(SAMPLE_PARTS, "short")
    with pytest.raises(WrongKeyError):
        reader(content, Keys([], "short"))


def test_nothing_of_the_content_or_the_key_is_readable() -> None:
    content = written({"database": [b"secret" * 100]}, PASSPHRASE)
    for hidden in (b"secret", KEY.encode(), PASSPHRASE.encode(), b"public.users"):
        assert hidden not in content


def test_two_files_of_the_same_content_have_nothing_in_common() -> None:
    one, other = written(SAMPLE_PARTS), written(SAMPLE_PARTS)
    assert one[-64:] != other[-64:]


def test_a_later_format_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "FORMAT", 2)
    content = written(SAMPLE_PARTS)
    monkeypatch.setattr(sealed, "FORMAT", 1)
    with pytest.raises(OperationError, match="format 2") as caught:
        read_header(io.BytesIO(content))
    assert not isinstance(caught.value, DamagedFileError)


def test_it_does_not_hold_a_large_part_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    import tracemalloc

    path = tmp_path / "large"
    tracemalloc.start()
    with path.open("wb") as file:
        writer = ArchiveWriter(file, {"stack": "s"}, KEY, None)
        writer.add("database", (b"\0" * 1_000_000 for _ in range(64)))
        writer.finish(manifest(writer.parts))
    with path.open("rb") as file:
        assert ArchiveReader(file, Keys([KEY])).check().size == 64_000_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size < 1_000_000
    assert peak < 8_000_000


@pytest.mark.parametrize(
    ("found", "rows_only", "words"),
    [
        ({"public.users": Table(2, "77")}, False, []),
        ({}, False, ["table public.users is missing"]),
        ({"public.users": Table(1, "77")}, False, ["table public.users has 1 rows instead of 2"]),
        ({"public.users": Table(2, "78")}, False, ["table public.users has other content"]),
        ({"public.users": Table(2, "78")}, True, []),
        ({"public.users": Table(2, "77"), "x.y": Table(0, "0")}, False, ["table x.y should not be there"]),
    ],
)
def test_a_restored_database_is_compared_table_by_table(
    found: dict[str, Table], rows_only: bool, words: list[str]
) -> None:
    assert differences(DATABASE, found, rows_only=rows_only) == words
