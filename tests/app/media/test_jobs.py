"""Each accepted job is done exactly once or reported failed, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from link import Link
from medianest.media.claims import MOST_ATTEMPTS, Claim, Claims
from medianest.media.headers import Format
from medianest.media.jobs import JobCounts, JobTimes
from medianest.media.limits import SIZES
from workers.pools import kill, pids, until

from media.libraries import QUICK, Replica, replica, user
from media.samples import picture


@pytest.fixture
async def one(database_url: str, tmp_path: Path) -> AsyncIterator[Replica]:
    async with replica(database_url, tmp_path) as made:
        yield made


@pytest.fixture
async def faulty(database_url: str, tmp_path: Path) -> AsyncIterator[Replica]:
    async with replica(database_url, tmp_path, faulty=True) as made:
        yield made


def begun(folder: Path) -> list[str]:
    """A content for each try of a faulty task."""
    path = folder / "begun"
    return path.read_text("ascii").split() if path.exists() else []


def be(folder: Path, fault: str) -> None:
    (folder / "fault.new").write_text(fault, "ascii")
    (folder / "fault.new").replace(folder / "fault")


async def error_of(made: Replica) -> tuple[Any, ...]:
    query = "SELECT error_name, error_message, attempts FROM pictures"
    async with made.database.connection() as connection:
        row = await (await connection.execute(query)).fetchone()
    assert row is not None
    return row


async def test_jobs_are_found_without_being_told_of(one: Replica, tmp_path: Path) -> None:
    owner = await user(one.database)
    for seed in range(5):
        await one.upload(owner, picture(seed=seed))
    assert set((await one.states()).values()) == {"queued"}
    one.library.start()
    states = await one.all_ended()
    assert Counter(states.values()) == {"done": 5}
    await until(lambda: one.library.jobs.running == 0)
    assert one.library.jobs.counts == JobCounts(done=5)
    assert one.pool.figures().tasks_completed == 5
    for sha256 in states:
        assert all(one.library.store.thumbnail(sha256, size).exists() for size in SIZES)


async def test_the_largest_picture_that_is_taken_fits_a_worker(one: Replica) -> None:
    owner = await user(one.database)
    await one.upload(owner, picture("PNG", (3500, 3500)), Format.PNG)
    await one.upload(owner, picture("WEBP", (1850, 1850), lossless=True, method=0), Format.WEBP)
    one.library.start()
    assert set((await one.all_ended(60)).values()) == {"done"}
    assert not any(one.pool.figures().workers_terminated.values())


async def test_a_replica_claims_no_more_than_it_has_workers_for(faulty: Replica, tmp_path: Path) -> None:
    be(tmp_path, "wait")
    owner = await user(faulty.database)
    for seed in range(6):
        await faulty.upload(owner, picture(seed=seed))
    faulty.library.start()
    await until(lambda: len(begun(tmp_path)) == 2)
    await asyncio.sleep(3 * QUICK.poll)
    assert Counter((await faulty.states()).values()) == {"running": 2, "queued": 4}
    assert faulty.pool.figures().queued == 0
    be(tmp_path, "none")
    assert set((await faulty.all_ended()).values()) == {"done"}
    assert len(begun(tmp_path)) == 6


async def test_two_replicas_share_the_jobs(database_url: str, tmp_path: Path, one: Replica) -> None:
    owner = await user(one.database)
    for seed in range(30):
        await one.upload(owner, picture(seed=seed))
    async with replica(database_url, tmp_path) as two:
        one.library.start()
        two.library.start()
        states = await one.all_ended()
        assert Counter(states.values()) == {"done": 30}
        await until(lambda: one.library.jobs.running + two.library.jobs.running == 0)
        done = one.library.jobs.counts.done, two.library.jobs.counts.done
        assert sum(done) == 30
        assert min(done) > 0
        assert one.pool.figures().tasks_completed + two.pool.figures().tasks_completed == 30


async def test_a_worker_that_is_killed_costs_no_job(faulty: Replica, tmp_path: Path) -> None:
    be(tmp_path, "wait")
    owner = await user(faulty.database)
    for seed in range(4):
        await faulty.upload(owner, picture(seed=seed))
    faulty.library.start()
    await until(lambda: len(begun(tmp_path)) == 2)
    for pid in pids(faulty.pool):
        kill(pid, signal.SIGKILL)
    be(tmp_path, "none")
    assert set((await faulty.all_ended()).values()) == {"done"}
    await until(lambda: faulty.library.jobs.running == 0)
    assert faulty.library.jobs.counts == JobCounts(done=4)


@pytest.mark.parametrize(
    ("fault", "name"), [("die", "WorkerDied"), ("raise", "OSError"), ("nonsense", "UnusablePicture")]
)
async def test_a_job_that_cannot_be_done_is_reported(
    faulty: Replica, tmp_path: Path, fault: str, name: str
) -> None:
    be(tmp_path, fault)
    accepted = await faulty.upload(await user(faulty.database), picture())
    faulty.library.start()
    assert set((await faulty.all_ended()).values()) == {"failed"}
    found, message, attempts = await error_of(faulty)
    assert (found, attempts) == (name, 1)
    assert message
    await until(lambda: faulty.library.jobs.running == 0)
    assert faulty.library.jobs.counts == JobCounts(failed=1)
    tries = len(begun(tmp_path))
    # Neither is it tried again, until it is uploaded again.
    await asyncio.sleep(3 * QUICK.poll)
    assert len(begun(tmp_path)) == tries
    be(tmp_path, "none")
    owner = await user(faulty.database, "another")
    again = await faulty.upload(owner, picture())
    assert again.media.sha256 == accepted.media.sha256
    assert set((await faulty.all_ended()).values()) == {"done"}


async def test_a_task_that_hangs_is_ended_and_reported(database_url: str, tmp_path: Path) -> None:
    times = JobTimes(lease=1.0, renew=0.2, poll=0.05, deadline=0.3)
    async with replica(database_url, tmp_path, faulty=True, times=times) as made:
        be(tmp_path, "wait")
        await made.upload(await user(made.database), picture())
        made.library.start()
        # Longer than the lease: it is renewed meanwhile.
        assert set((await made.all_ended()).values()) == {"failed"}
        assert (await error_of(made))[0] == "DeadlineExceeded"
        assert len(begun(tmp_path)) == 2


async def test_a_running_job_stays_with_its_holder(
    faulty: Replica, tmp_path: Path, database_url: str
) -> None:
    be(tmp_path, "wait")
    await faulty.upload(await user(faulty.database), picture())
    faulty.library.start()
    await until(lambda: len(begun(tmp_path)) == 1)
    async with replica(database_url, tmp_path, faulty=True) as other:
        other.library.start()
        await asyncio.sleep(2 * QUICK.lease)
        be(tmp_path, "none")
        assert set((await other.all_ended()).values()) == {"done"}
        assert other.library.jobs.counts == JobCounts()
    await until(lambda: faulty.library.jobs.running == 0)
    assert faulty.library.jobs.counts == JobCounts(done=1)
    assert len(begun(tmp_path)) == 1


async def test_a_job_of_a_dead_holder_is_taken_over_when_its_lease_is_over(one: Replica) -> None:
    await one.upload(await user(one.database), picture())
    dead = Claims(one.database, "dead", lease=0.5)
    (claim,) = await dead.take(5)
    alive = Claims(one.database, "alive", lease=0.5)
    assert await alive.take(5) == []
    await asyncio.sleep(0.6)
    assert await alive.take(5) == [Claim(claim.sha256, 2)]
    # The dead one comes back to life, too late.
    assert await dead.renew([claim]) == set()
    assert not await dead.done(claim, {})
    assert not await dead.failed(claim, "Any", "reason")
    assert not await dead.hand_back(claim)
    assert await alive.renew([Claim(claim.sha256, 2)]) == {claim.sha256}
    assert await alive.done(Claim(claim.sha256, 2), {"frames": 1})
    assert await one.states() == {claim.sha256: "done"}


async def test_a_claim_of_its_own_that_was_lost_meanwhile_does_not_count(one: Replica) -> None:
    await one.upload(await user(one.database), picture())
    claims = Claims(one.database, "same", lease=0)
    (first,) = await claims.take(1)
    (second,) = await claims.take(1)
    assert not await claims.done(first, {})
    assert await claims.done(second, {})


async def test_a_job_that_outlives_its_holders_is_given_up(one: Replica) -> None:
    await one.upload(await user(one.database), picture())
    claims = Claims(one.database, "dying", lease=0)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        (claim,) = await claims.take(1)
        assert claim.attempt == attempt
    assert await claims.take(1) == []
    assert await error_of(one) == ("GivenUp", "Given up after 3 tries", 3)


async def test_a_job_that_is_handed_back_was_not_tried(one: Replica) -> None:
    await one.upload(await user(one.database), picture())
    claims = Claims(one.database, "stopping", lease=9)
    for _ in range(2 * MOST_ATTEMPTS):
        (claim,) = await claims.take(1)
        assert claim.attempt == 1
        assert await claims.hand_back(claim)


async def test_claims_at_the_same_time_do_not_overlap(one: Replica) -> None:
    owner = await user(one.database)
    for seed in range(20):
        await one.upload(owner, picture(seed=seed))
    holders = [Claims(one.database, f"holder {number}", lease=9) for number in range(10)]
    taken = await asyncio.gather(*(holder.take(3) for holder in holders))
    contents = [claim.sha256 for claims in taken for claim in claims]
    assert len(contents) == len(set(contents)) == 20


async def test_at_the_end_running_jobs_may_finish(faulty: Replica, tmp_path: Path) -> None:
    be(tmp_path, "wait")
    await faulty.upload(await user(faulty.database), picture())
    faulty.library.start()
    await until(lambda: len(begun(tmp_path)) == 1)
    stopping = asyncio.create_task(faulty.library.stop(10))
    await asyncio.sleep(0.1)
    be(tmp_path, "none")
    await stopping
    assert set((await faulty.states()).values()) == {"done"}


async def test_at_the_end_what_has_not_finished_is_handed_back(
    faulty: Replica, tmp_path: Path, database_url: str
) -> None:
    be(tmp_path, "wait")
    owner = await user(faulty.database)
    for seed in range(3):
        await faulty.upload(owner, picture(seed=seed))
    faulty.library.start()
    await until(lambda: len(begun(tmp_path)) == 2)
    await faulty.library.stop(0.1)
    assert set((await faulty.states()).values()) == {"queued"}
    assert faulty.library.jobs.counts == JobCounts(handed_back=2)
    be(tmp_path, "none")
    async with replica(database_url, tmp_path) as other:  # which does not have to wait for a lease
        other.library.start()
        assert set((await other.all_ended(QUICK.lease * 5)).values()) == {"done"}
        assert (await error_of(other))[2] == 1


async def test_a_pool_that_stops_hands_its_jobs_back(faulty: Replica, tmp_path: Path) -> None:
    be(tmp_path, "wait")
    await faulty.upload(await user(faulty.database), picture())
    faulty.library.start()
    await until(lambda: len(begun(tmp_path)) == 1)
    faulty.accepting = False
    await faulty.pool.stop(0)
    await until(lambda: faulty.library.jobs.running == 0)
    assert set((await faulty.states()).values()) == {"queued"}
    assert faulty.library.jobs.counts == JobCounts(handed_back=1)


async def test_a_claim_that_was_lost_frees_its_worker(faulty: Replica, tmp_path: Path) -> None:
    be(tmp_path, "wait")
    await faulty.upload(await user(faulty.database), picture())
    faulty.library.start()
    await until(lambda: len(begun(tmp_path)) == 1)
    faulty.accepting = False
    async with faulty.database.connection() as connection:
        await connection.execute("UPDATE pictures SET claimed_by = 'another', lease_until = now() + '9 s'")
    await until(lambda: faulty.library.jobs.running == 0)
    assert faulty.library.jobs.counts == JobCounts(lost=1)
    assert set((await faulty.states()).values()) == {"running"}
    await until(lambda: faulty.pool.figures().busy == 0)


async def test_jobs_outlast_an_outage_of_postgres(
    postgres_link: Link, tmp_path: Path, database_url: str
) -> None:
    async with (
        replica(postgres_link.url, tmp_path, faulty=True) as made,
        replica(database_url, tmp_path) as other,
    ):
        be(tmp_path, "wait")
        owner = await user(made.database)
        for seed in range(6):
            await made.upload(owner, picture(seed=seed))
        made.library.start()
        await until(lambda: len(begun(tmp_path)) == 2)
        await postgres_link.cut()
        be(tmp_path, "none")
        await until(lambda: made.pool.figures().tasks_completed == 2)
        await asyncio.sleep(0.3)
        await postgres_link.mend()
        assert set((await other.all_ended(40)).values()) == {"done"}
        await until(lambda: made.library.jobs.running == 0)
        assert made.library.jobs.counts.done == 6


async def test_an_outage_of_postgres_is_told_once(
    postgres_link: Link, tmp_path: Path, logged: list[dict[str, Any]]
) -> None:
    def told() -> list[str]:
        return [event["event"] for event in logged if event.get("component") == "media"]

    async with replica(postgres_link.url, tmp_path) as made:
        owner = await user(made.database)
        made.library.start()
        await postgres_link.cut()
        await until(lambda: bool(told()))
        await asyncio.sleep(5 * QUICK.poll)
        await postgres_link.mend()
        await until(lambda: len(told()) > 1)
        assert told() == ["Jobs cannot be claimed: the database is not available", "Jobs are claimed again"]
        await made.upload(owner, picture())
        assert set((await made.all_ended()).values()) == {"done"}


async def test_a_picture_that_is_deleted_while_it_is_processed_is_gone(
    faulty: Replica, tmp_path: Path
) -> None:
    be(tmp_path, "wait")
    owner = await user(faulty.database)
    accepted = await faulty.upload(owner, picture())
    faulty.library.start()
    await until(lambda: len(begun(tmp_path)) == 1)
    assert await faulty.library.forget(owner, accepted.media.id)
    assert set((await faulty.states()).values()) == {"running"}
    be(tmp_path, "none")
    async with asyncio.timeout(10):
        while await faulty.states():
            await asyncio.sleep(0.02)
    assert not faulty.library.store.original(accepted.media.sha256).parent.exists()


async def test_files_that_are_gone_fail_the_job(one: Replica, tmp_path: Path) -> None:
    accepted = await one.upload(await user(one.database), picture())
    shutil.rmtree(one.library.store.original(accepted.media.sha256).parent)
    one.library.start()
    assert set((await one.all_ended()).values()) == {"failed"}
    assert (await error_of(one))[0] == "FileNotFoundError"
