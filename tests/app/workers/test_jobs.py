import pytest
from medianest.workers.errors import Ending, QueueFullError, WorkersUnavailableError
from medianest.workers.frames import Decoder
from medianest.workers.jobs import JobFactory, JobQueue


async def test_jobs_have_numbers_of_their_own() -> None:
    jobs = JobFactory()
    first, second = jobs.job("add", {"a": 1}, 5), jobs.ping(2)
    assert Decoder().feed(first.frame + second.frame) == [
        {"id": 1, "task": "add", "arguments": {"a": 1}},
        {"id": 2, "task": "ping", "arguments": {}},
    ]
    assert (first.overdue, second.overdue) == (Ending.DEADLINE, Ending.UNRESPONSIVE)


async def test_a_job_may_cost_two_workers_and_a_ping_one() -> None:
    jobs = JobFactory()
    job, ping = jobs.job("add", {}, 5), jobs.ping(2)
    job.tries = ping.tries = 1
    assert (job.used_up, ping.used_up) == (False, True)
    job.tries = 2
    assert job.used_up


async def test_the_first_outcome_counts() -> None:
    job = JobFactory().job("add", {}, 5)
    assert job.succeed(1)
    assert not job.succeed(2)
    assert not job.fail(ValueError())
    assert await job.done == 1


async def test_first_in_first_out_and_what_is_put_back_comes_first() -> None:
    jobs, queue = JobFactory(), JobQueue(limit=2)
    first, second, third = (jobs.job("add", {}, 5) for _ in range(3))
    queue.put(first, at_once=0)
    queue.put(second, at_once=0)
    with pytest.raises(QueueFullError):
        queue.put(third, at_once=0)
    queue.put(third, at_once=1)
    assert queue.take() is first
    queue.put_back(first)
    assert queue.oldest() is first
    queue.discard(second)
    queue.discard(second)
    assert [queue.take(), queue.take(), queue.take()] == [first, third, None]


async def test_one_bell_is_rung_for_one_job() -> None:
    jobs, queue = JobFactory(), JobQueue(limit=2)
    gone, first, second = queue.bell(), queue.bell(), queue.bell()
    gone.cancel()
    queue.put(jobs.job("add", {}, 5), at_once=0)
    assert (first.done(), second.done()) == (True, False)
    queue.ring()
    assert second.done()
    queue.ring()


async def test_a_closed_queue_hands_everything_back() -> None:
    jobs, queue = JobFactory(), JobQueue(limit=2)
    waiting, running, late = (jobs.job("add", {}, 5) for _ in range(3))
    queue.put(waiting, at_once=0)
    queue.close()
    queue.put_back(running)
    with pytest.raises(WorkersUnavailableError):
        queue.put(late, at_once=0)
    for job in (waiting, running):
        with pytest.raises(WorkersUnavailableError):
            await job.done
    assert len(queue) == 0
