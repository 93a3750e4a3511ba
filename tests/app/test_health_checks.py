import asyncio
import contextlib
from pathlib import Path
from typing import Any

from medianest.health_checks import Check, Finding, StateCheck, Word
from medianest.memory import resident_bytes


class Probed:
    """Answers, fails or hangs, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.takes = 0.0

    async def __call__(self) -> None:
        self.asked += 1
        await asyncio.sleep(self.takes)
        if self.error is not None:
            raise self.error


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_many_who_want_to_know_make_one_probe() -> None:
    service, clock = Probed(), Clock()
    service.takes = 0.01
    check = Check("postgres", service, lifetime=1, clock=clock)
    findings = await asyncio.gather(*(check.finding() for _ in range(20)))
    assert {finding.word for finding in findings} == {Word.HEALTHY}
    assert service.asked == 1
    clock.now += 0.9
    assert (await check.finding()).word is Word.HEALTHY
    assert service.asked == 1
    clock.now += 0.2
    assert (await check.finding()).word is Word.HEALTHY
    assert service.asked == 2


async def test_a_failed_and_a_late_probe_count_as_no_and_are_logged_once(
    logged: list[dict[str, Any]],
) -> None:
    service, clock = Probed(), Clock()
    check = Check("postgres", service, timeout=0.2, lifetime=1, clock=clock)
    assert (await check.finding()).word is Word.HEALTHY
    service.error = ConnectionError()
    clock.now += 1
    assert (await check.finding()).word is Word.UNHEALTHY
    service.error, service.takes = None, 5
    clock.now += 1
    assert (await check.finding()).word is Word.UNHEALTHY
    service.takes = 0
    await asyncio.sleep(0.01)
    clock.now += 1
    assert (await check.finding()).word is Word.HEALTHY
    assert [(event["event"], event["service"]) for event in logged] == [
        ("Service does not answer", "postgres"),
        ("Service answers again", "postgres"),
    ]


async def test_a_probe_that_cannot_be_interrupted_is_not_asked_again_meanwhile() -> None:
    clock, gone = Clock(), asyncio.Event()
    asked = 0

    async def stubborn() -> None:
        nonlocal asked
        asked += 1
        while not gone.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await gone.wait()

    check = Check("postgres", stubborn, timeout=0.2, lifetime=1, clock=clock)
    for _ in range(3):
        assert (await check.finding()).word is Word.UNHEALTHY
        clock.now += 1
    assert asked == 1
    gone.set()
    await asyncio.sleep(0.01)
    assert (await check.finding()).word is Word.HEALTHY
    assert asked == 2


async def test_a_finding_tells_how_long_it_took_and_what_went_wrong() -> None:
    service, clock = Probed(), Clock()

    async def probe() -> None:
        clock.now += 0.25
        await service()

    check = Check("postgres", probe, clock=clock)
    assert await check.finding() == Finding(Word.HEALTHY, latency_ms=250)
    service.error = ConnectionError("to 10.0.0.7 with password x")
    clock.now += 1
    assert await check.finding() == Finding(Word.UNHEALTHY, latency_ms=250, error="ConnectionError")


async def test_a_service_in_this_process_is_taken_at_its_word() -> None:
    state = "degraded"
    check = StateCheck(lambda: state)
    assert await check.finding() == Finding(Word.DEGRADED)
    state = "unhealthy"
    assert await check.finding() == Finding(Word.UNHEALTHY)


def test_this_process_takes_as_much_memory_as_the_kernel_says() -> None:
    status = Path("/proc/self/status").read_text()
    (kilobytes,) = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")]
    assert abs(resident_bytes() - kilobytes * 1024) < 5_000_000
