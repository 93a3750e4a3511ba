import asyncio
import itertools
from typing import Any

import pytest
from medianest.reconnection import Reconnection, pause_before


class Service:
    """Fails so many times, then is ready."""

    def __init__(self, failures: float) -> None:
        self.failures = failures
        self.asked = 0
        self.reached = asyncio.Event()

    async def reach(self) -> None:
        self.asked += 1
        if self.asked <= self.failures:
            raise ConnectionRefusedError
        self.reached.set()


class Time:
    """Passes when somebody sleeps, and only then."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def clock(self) -> float:
        return self.now


async def outage(failures: float) -> tuple[Reconnection, Time, Service]:
    service, time = Service(failures), Time()
    reconnection = Reconnection("redis", service.reach, sleep=time.sleep, clock=time.clock)
    reconnection.lost(TimeoutError())
    assert not reconnection.answers
    async with asyncio.timeout(5):
        await service.reached.wait()
    return reconnection, time, service


def test_the_pauses_double_from_one_second_to_thirty() -> None:
    pauses = [pause_before(attempt) for attempt in range(1, 9)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert pause_before(100_000) == 30


async def test_one_late_answer_is_not_an_outage(logged: list[dict[str, Any]]) -> None:
    reconnection, time, _ = await outage(failures=0)
    assert (reconnection.answers, reconnection.outages, time.pauses) == (True, 0, [])
    assert logged == []


async def test_an_outage_is_told_once_and_its_end_with_its_length(logged: list[dict[str, Any]]) -> None:
    reconnection, time, _ = await outage(failures=4)
    assert (reconnection.answers, reconnection.outages, time.pauses) == (True, 1, [1, 2, 4, 8])
    told = [event for event in logged if event["log_level"] != "debug"]
    assert [(event["log_level"], event["event"]) for event in told] == [
        ("warning", "Service does not answer; going on without it"),
        ("info", "Service answers again"),
    ]
    assert told[0]["error"] == "TimeoutError"
    assert (told[1]["attempts"], told[1]["seconds"]) == (4, 15)


async def test_after_ten_attempts_it_is_critical_and_tried_on_for_ever(logged: list[dict[str, Any]]) -> None:
    _, time, _ = await outage(failures=40)
    assert time.pauses == [1, 2, 4, 8, 16, *[30] * 35]
    (critical,) = [event for event in logged if event["log_level"] == "critical"]
    assert (critical["attempts"], critical["seconds"]) == (10, 181)


async def test_an_outage_that_is_known_begins_no_second_way_back() -> None:
    service, time = Service(3), Time()
    reconnection = Reconnection("redis", service.reach, sleep=time.sleep, clock=time.clock)
    for _ in range(5):
        reconnection.lost(TimeoutError())
    await service.reached.wait()
    assert (service.asked, reconnection.outages) == (4, 1)


async def test_an_error_nobody_expected_does_not_end_the_way_back() -> None:
    answers = itertools.chain([ValueError, KeyError], itertools.repeat(None))
    back = asyncio.Event()

    async def reach() -> None:
        if error := next(answers):
            raise error
        back.set()

    reconnection = Reconnection("redis", reach, sleep=Time().sleep)
    reconnection.lost(TimeoutError())
    async with asyncio.timeout(5):
        await back.wait()
    await asyncio.sleep(0)
    assert reconnection.answers


async def test_closing_gives_up() -> None:
    service = Service(float("inf"))
    reconnection = Reconnection("redis", service.reach)
    await reconnection.close()
    reconnection.lost(TimeoutError())
    await asyncio.sleep(0)
    await reconnection.close()
    assert asyncio.all_tasks() == {asyncio.current_task()} or service.asked == 1


@pytest.mark.parametrize("failures", [0, 2])
async def test_it_can_be_lost_again(failures: int) -> None:
    reconnection, _, service = await outage(failures)
    service.asked = 0
    service.reached.clear()
    reconnection.lost(TimeoutError())
    async with asyncio.timeout(5):
        await service.reached.wait()
    assert reconnection.answers
