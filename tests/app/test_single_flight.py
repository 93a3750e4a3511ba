import asyncio

import pytest
from medianest.single_flight import SingleFlight


class Work:
    """Waits until it may finish, and counts how often it was begun."""

    def __init__(self, outcome: str | Exception = "done") -> None:
        self.outcome = outcome
        self.begun = 0
        self.may_finish = asyncio.Event()

    async def __call__(self) -> str:
        self.begun += 1
        await self.may_finish.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


async def wanted(flights: SingleFlight[str], work: Work, number: int) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(flights.run("key", work)) for _ in range(number)]
    await asyncio.sleep(0.01)
    return tasks


async def test_two_hundred_who_want_the_same_cause_one_fetch() -> None:
    flights, work = SingleFlight[str](), Work()
    tasks = await wanted(flights, work, 200)
    work.may_finish.set()
    assert await asyncio.gather(*tasks) == ["done"] * 200
    assert (work.begun, flights.started) == (1, 1)


async def test_who_goes_away_takes_nobodys_answer_along() -> None:
    flights, work = SingleFlight[str](), Work()
    tasks = await wanted(flights, work, 5)
    for task in tasks[:4]:
        task.cancel()
    await asyncio.sleep(0)
    work.may_finish.set()
    assert await tasks[4] == "done"
    assert work.begun == 1


async def test_everyone_gets_the_error_and_the_next_tries_anew() -> None:
    flights, failing = SingleFlight[str](), Work(LookupError("gone"))
    tasks = await wanted(flights, failing, 3)
    failing.may_finish.set()
    for task in tasks:
        with pytest.raises(LookupError, match="gone"):
            await task
    good = Work()
    good.may_finish.set()
    assert await flights.run("key", good) == "done"


async def test_what_was_forgotten_is_joined_by_nobody() -> None:
    flights, old, new = SingleFlight[str](), Work("old"), Work("new")
    (first,) = await wanted(flights, old, 1)
    flights.forget("key")
    (second,) = await wanted(flights, new, 1)
    old.may_finish.set()
    assert await first == "old"
    third = asyncio.create_task(flights.run("key", Work("never begun")))
    await asyncio.sleep(0)
    new.may_finish.set()
    assert await asyncio.gather(second, third) == ["new", "new"]


async def test_closing_cancels_what_is_under_way() -> None:
    flights, work = SingleFlight[str](), Work()
    (task,) = await wanted(flights, work, 1)
    await flights.close()
    with pytest.raises(asyncio.CancelledError):
        await task
