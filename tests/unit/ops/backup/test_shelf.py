"""Names of backups, which may go, and when the next one is due."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from ops.backup.shelf import Backup, Shelf, is_due, read_name, superfluous
from ops.errors import ExitCode, OperationError

DAY = datetime(2026, 11, 24, 3, tzinfo=UTC)


def backup(days_ago: int, *, verified: bool = True) -> Backup:
    return Backup(Path(f"{days_ago}{verified}"), "s", DAY - timedelta(days=days_ago), verified)


@pytest.mark.parametrize(
    ("name", "stack", "verified"),
    [
        ("staging-20261124T030000Z.backup", "staging", True),
        ("review-17-20261124T030000Z.unverified", "review-17", False),
    ],
)
def test_a_name_tells_stack_time_and_whether_it_was_tried(name: str, stack: str, verified: bool) -> None:
    read = read_name(Path(name))
    assert read == Backup(Path(name), stack, DAY, verified)


@pytest.mark.parametrize("name", [".staging-20261124T030000Z.partial", "staging.backup", "notes.txt"])
def test_other_files_are_no_backups(name: str) -> None:
    assert read_name(Path(name)) is None


@pytest.mark.parametrize(
    ("there", "keep", "gone"),
    [
        ([], 3, []),
        ([backup(0)], 1, []),
        ([backup(0), backup(1), backup(2)], 2, [backup(2)]),
        ([backup(0, verified=False), backup(1), backup(2)], 1, [backup(2)]),
        # Only unverified ones are newer: the one good one stays, and so do they.
        ([backup(0, verified=False), backup(1, verified=False), backup(9)], 1, []),
        ([backup(0), backup(1, verified=False), backup(2)], 1, [backup(1, verified=False), backup(2)]),
        ([backup(0, verified=False), backup(1, verified=False)], 1, []),
    ],
)
def test_retention_never_removes_the_only_good_one(
    there: list[Backup], keep: int, gone: list[Backup]
) -> None:
    assert superfluous(there, keep) == gone


NOW = datetime(2026, 11, 24, 12, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("schedule", "last", "due"),
    [
        (None, None, False),
        ("03:00", None, True),
        ("03:00", datetime(2026, 11, 24, 0, 59, tzinfo=UTC), True),
        ("03:00", datetime(2026, 11, 24, 1, 0, tzinfo=UTC), False),
        ("23:30", datetime(2026, 11, 23, 21, 29, tzinfo=UTC), True),
        ("23:30", datetime(2026, 11, 23, 21, 31, tzinfo=UTC), False),
        ("12:00", datetime(2026, 11, 24, 9, 59, tzinfo=UTC), True),
    ],
)
def test_a_backup_is_due_once_after_each_time_of_day(
    schedule: str | None, last: datetime | None, due: bool
) -> None:
    assert is_due(schedule, last, NOW) is due


def test_a_new_backup_has_its_name_when_it_is_complete(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "s")
    with shelf.new(DAY) as (file, final):
        file.write(b"x")
        assert shelf.backups() == []
    assert final.read_bytes() == b"x"
    assert stat.S_IMODE(final.stat().st_mode) == 0o600
    assert [item.verified for item in shelf.backups()] == [False]
    shelf.mark_verified(final)
    assert [item.verified for item in shelf.backups()] == [True]


def test_a_backup_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def fail() -> None:
        with Shelf(tmp_path, "s").new(DAY) as (file, _):
            file.write(b"x")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "new", "s")
    with shelf.only_one(), pytest.raises(OperationError) as caught, shelf.only_one():
        pass
    assert caught.value.code is ExitCode.REFUSED
    with shelf.only_one():
        pass


def test_stacks_in_one_directory_do_not_touch_each_other(tmp_path: Path) -> None:
    for stack in ("s", "s-2"):
        for day in range(3):
            (tmp_path / f"{stack}-2026112{day}T030000Z.backup").touch()
    removed = Shelf(tmp_path, "s").tidy(1)
    assert sorted(path.name for path in removed) == ["s-20261120T030000Z.backup", "s-20261121T030000Z.backup"]
    assert len(Shelf(tmp_path, "s-2").backups()) == 3
