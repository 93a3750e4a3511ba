"""Uploads, removals and their files: together or not at all, whatever happens at the same time."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import resource
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from conftest import Running
from medianest.media.pictures import NoOwnerError
from medianest.media.store import Store
from medianest.media.threads import VolumeError, VolumeFullError, to_the_end
from problem_shape import assert_problem
from workers.pools import until

from media.libraries import Replica, replica, user
from media.samples import picture
from media.uploads import JPEG, expected_files, files, in_pieces, processed, rows, upload


@pytest.fixture
async def one(database_url: str, tmp_path: Path) -> AsyncIterator[Replica]:
    async with replica(database_url, tmp_path) as made:
        yield made


def contents(folder: Path) -> set[str]:
    return {path.parent.name for path in (folder / "pictures").glob("*/*/original")}


def unfinished(folder: Path) -> list[Path]:
    return list((folder / "incoming").iterdir())


@pytest.fixture
def full_volume() -> Iterator[None]:
    """No file can become longer than 100 KB, which is as good as a volume that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def large(seed: int = 0) -> bytes:
    return picture(seed=seed) + os.urandom(400_000)


async def test_without_room_an_upload_leaves_nothing(
    running: Running, request: pytest.FixtureRequest
) -> None:
    headers = await running.authorization()
    request.getfixturevalue("full_volume")
    answer = await upload(running, large(), headers=headers)
    assert_problem(answer, 507, "There is no room for the picture")
    assert files(running) == set()
    assert await rows(running, "SELECT FROM pictures") == []
    assert (await upload(running, picture(), headers=headers)).status_code == 202


async def test_on_a_volume_that_is_really_full_too(one: Replica, tmp_path: Path) -> None:
    owner = await user(one.database)
    room = os.statvfs(tmp_path)
    filler = tmp_path / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, (room.f_bavail - 50) * room.f_frsize)
    try:
        with pytest.raises(VolumeFullError):
            await one.upload(owner, large())
    finally:
        filler.unlink()
    assert unfinished(tmp_path) == []
    assert await one.states() == {}
    await one.upload(owner, large())


async def test_a_volume_that_cannot_be_written_is_not_available(running: Running) -> None:
    headers = await running.authorization()
    incoming = running.backend.library.store.scratch
    document = await processed(running, picture(), headers=headers)
    incoming.chmod(0o500)
    try:
        answer = await upload(running, picture(seed=1), headers=headers)
    finally:
        incoming.chmod(0o700)
    assert_problem(answer, 503, "The volume of media is not available")
    folder = running.backend.library.store.original(document["sha256"]).parent
    (folder / "160.webp").unlink()
    (folder / "160.webp").mkdir()
    broken = await running.client.get(document["thumbnails"][0]["url"], headers=headers)
    assert_problem(broken, 503, "The volume of media is not available")
    # Uploaded again, a content whose files are not all there is made whole.
    (folder / "160.webp").rmdir()
    gone = await running.client.get(document["thumbnails"][0]["url"], headers=headers)
    assert gone.status_code == 404
    assert (await processed(running, picture(), headers=headers))["state"] == "done"
    assert files(running) == await expected_files(running)


async def test_a_directory_that_cannot_be_written_is_told_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "locked").mkdir(mode=0o500)
    for directory, reason in (("file", "Not a directory"), ("locked", "Permission denied")):
        store = Store(tmp_path / directory)
        expected = (
            f"MEDIA_DIRECTORY {tmp_path / directory} cannot be written ({reason}): it must be a directory,"
            f" or a volume, that belongs to user {os.getuid()}"
        )
        with pytest.raises(VolumeError) as raised:
            await store.open()
        assert str(raised.value) == expected
        store.close()


async def test_a_row_that_cannot_be_written_leaves_no_file(one: Replica, tmp_path: Path) -> None:
    with pytest.raises(NoOwnerError):
        await one.upload(uuid4(), picture())
    assert await one.states() == {}
    assert contents(tmp_path) == set()
    assert unfinished(tmp_path) == []


async def test_the_same_content_at_the_same_time_is_one_picture(one: Replica, tmp_path: Path) -> None:
    owners = [await user(one.database, f"user {number}") for number in range(5)]
    accepted = await asyncio.gather(*(one.upload(owner, picture()) for owner in owners for _ in range(4)))
    assert len({item.media.id for item in accepted}) == 5
    assert sum(item.anew for item in accepted) == 5
    assert len(await one.states()) == 1
    one.library.start()
    assert set((await one.all_ended()).values()) == {"done"}
    assert one.pool.figures().tasks_completed == 1
    assert unfinished(tmp_path) == []


async def test_uploads_and_removals_of_the_same_content_do_not_hurt_each_other(
    one: Replica, tmp_path: Path, database_url: str
) -> None:
    owners = [await user(one.database, f"user {number}") for number in range(4)]
    choose = random.Random(7)
    async with replica(database_url, tmp_path) as two:
        one.library.start()
        two.library.start()

        async def use(owner: UUID, made: Replica) -> None:
            for _ in range(15):
                accepted = await made.upload(owner, picture(seed=choose.randrange(2)))
                await asyncio.sleep(choose.random() * 0.05)
                if choose.random() < 0.8:
                    await made.library.forget(owner, accepted.media.id)

        await asyncio.gather(*(use(owner, made) for owner in owners for made in (one, two)))
        states = await one.all_ended(30)
        await until(lambda: one.library.jobs.running + two.library.jobs.running == 0)
        await one.library.tidy()
        states = await one.states()
        async with one.database.connection() as connection:
            query = "SELECT DISTINCT sha256 FROM media"
            wanted = {row[0] for row in await (await connection.execute(query)).fetchall()}
        assert set(states) == wanted == contents(tmp_path)
        assert set(states.values()) <= {"done"}
        for sha256 in states:
            assert await one.library.store.has_thumbnails(sha256)
        assert unfinished(tmp_path) == []


async def test_uploads_that_are_cancelled_leave_a_file_with_its_row_or_neither(running: Running) -> None:
    headers = await running.authorization() | JPEG
    choose = random.Random(11)
    async with asyncio.timeout(60):
        for seed in range(60):
            content = picture(seed=seed) + os.urandom(600_000)
            sending = asyncio.create_task(
                running.client.post("/api/media", headers=headers, content=in_pieces(content))
            )
            await asyncio.sleep(choose.random() * 0.04)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    await until(lambda: running.backend.library.jobs.running == 0)
    async with asyncio.timeout(30):
        while await rows(running, "SELECT FROM pictures WHERE state IN ('queued', 'running')"):
            await asyncio.sleep(0.02)
    assert files(running) == await expected_files(running)
    assert len(await rows(running, "SELECT FROM pictures")) == len(await rows(running, "SELECT FROM media"))
    assert running.backend.library._uploads == 0


async def test_what_killed_processes_left_is_tidied_up(one: Replica, tmp_path: Path) -> None:
    owner = await user(one.database)
    kept = (await one.upload(owner, picture())).media.sha256
    long_ago = time.time() - 7200
    orphan, fresh = "0" * 64, "1" * 64
    for sha256 in (orphan, fresh):
        original = one.library.store.original(sha256)
        original.parent.mkdir(parents=True)
        original.touch()
    for name in ("old", "new"):
        (tmp_path / "incoming" / name).touch()
    for path in (
        tmp_path / "incoming" / "old",
        *(one.library.store.original(item).parent for item in (kept, orphan)),
    ):
        os.utime(path, (long_ago, long_ago))
    await one.library.tidy()
    assert contents(tmp_path) == {kept, fresh}
    assert [path.name for path in unfinished(tmp_path)] == ["new"]
    assert set(await one.states()) == {kept}


async def test_pictures_of_users_who_are_gone_are_tidied_up(one: Replica, tmp_path: Path) -> None:
    await one.upload(await user(one.database), picture())
    async with one.database.connection() as connection:
        await connection.execute("DELETE FROM users")
    await one.library.tidy()
    assert await one.states() == {}
    assert contents(tmp_path) == set()


async def test_it_is_tidied_at_the_start(one: Replica, tmp_path: Path) -> None:
    left = tmp_path / "incoming" / "left"
    left.touch()
    os.utime(left, (0, 0))
    one.library.start()
    await until(lambda: not left.exists())


async def test_files_that_cannot_be_removed_yet_are_removed_later(one: Replica, tmp_path: Path) -> None:
    owner = await user(one.database)
    accepted = await one.upload(owner, picture())
    folder = one.library.store.original(accepted.media.sha256).parent
    folder.chmod(0o500)
    assert await one.library.forget(owner, accepted.media.id)
    assert set(await one.states()) == contents(tmp_path) == {accepted.media.sha256}
    folder.chmod(0o700)
    await one.library.tidy()
    assert await one.states() == {}
    assert contents(tmp_path) == set()


async def test_work_that_is_cancelled_is_waited_for() -> None:
    done = asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0.1)
        done.set()

    task = asyncio.create_task(to_the_end(work()))
    for _ in range(3):
        await asyncio.sleep(0.01)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


async def test_the_fault_of_cancelled_work_is_not_lost_in_a_log(logged: list[dict[str, object]]) -> None:
    async def work() -> None:
        await asyncio.sleep(0.05)
        raise ValueError

    task = asyncio.create_task(to_the_end(work()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gc.collect()
    assert logged == []


async def test_the_volume_is_used_by_other_threads_than_passwords(one: Replica) -> None:
    await one.upload(await user(one.database), picture())
    assert any(thread.name.startswith("media") for thread in threading.enumerate())


async def test_many_uploads_leave_nothing_open(running: Running) -> None:
    headers = await running.authorization()

    async def some(first: int, many: int) -> None:
        for start in range(first, first + many, 10):
            small = [picture("PNG", (12, 8), seed=seed) for seed in range(start, start + 10)]
            answers = await asyncio.gather(*(upload(running, item, "image/png", headers) for item in small))
            for answer in answers:
                assert answer.status_code == 202
            gone = await asyncio.gather(
                *(running.client.delete(f"/api/media/{a.json()['id']}", headers=headers) for a in answers)
            )
            assert {answer.status_code for answer in gone} == {204}

    def held() -> tuple[int, int]:
        gc.collect()
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    def resident() -> int:
        text = Path("/proc/self/status").read_text()
        return int(text.partition("RssAnon:")[2].split()[0])

    await some(0, 200)
    await until(lambda: running.backend.library.jobs.running == 0)
    before, memory = held(), resident()
    await some(200, 1000)
    await until(lambda: running.backend.library.jobs.running == 0, 30)
    async with asyncio.timeout(30):
        while await rows(running, "SELECT FROM pictures WHERE state IN ('queued', 'running')"):
            await asyncio.sleep(0.05)
    await running.backend.library.tidy()
    after = held()
    # Connections of the pool to Postgres come and go; nothing else does.
    assert after[0] - before[0] <= 10
    assert after[1] == before[1]
    assert resident() < memory * 1.1
    assert await rows(running, "SELECT FROM pictures") == []
    assert files(running) == set()
