from __future__ import annotations

from collections.abc import Iterator

import pytest

from components.settings import WatchSettings
from ops.release_watch import judge, watch
from ops.traffic import Traffic

LIMITS = WatchSettings(seconds=10, requests=20, error_percent=5, response_ms=500, slower=3)
GOOD = Traffic(requests=1000, errors=1, p95_ms=40)
NONE = Traffic()


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (GOOD, GOOD, ""),
        (GOOD, Traffic(1000, 100, 40), "10.0 % of the requests fail"),
        (NONE, Traffic(1000, 100, 40), "10.0 % of the requests fail"),
        # Within the limit, and so few that one would be a large share.
        (GOOD, Traffic(1000, 50, 40), ""),
        (GOOD, Traffic(19, 19, 40), ""),
        # It was as bad before.
        (Traffic(1000, 90, 40), Traffic(1000, 100, 40), ""),
        (GOOD, Traffic(1000, 0, 501), "answers are slow: 501 ms for the slowest 5 %"),
        # Slower, but quick enough; slow, but not slower; nothing to compare with.
        (GOOD, Traffic(1000, 0, 499), ""),
        (Traffic(1000, 0, 400), Traffic(1000, 0, 900), ""),
        (Traffic(5, 0, 40), Traffic(1000, 0, 900), ""),
    ],
)
def test_a_release_is_judged_by_what_clients_saw(before: Traffic, after: Traffic, problem: str) -> None:
    assert judge(before, after, LIMITS) == problem


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_good_release_is_watched_to_the_end() -> None:
    clock = Clock()
    verdict = watch(GOOD, LIMITS, lambda: GOOD, clock, clock.sleep)
    assert (verdict.problem, verdict.judged, clock.now) == ("", True, 10)
    assert str(verdict).startswith("the release serves as well as the one before")


def test_a_bad_one_is_given_up_as_soon_as_that_is_clear() -> None:
    clock = Clock()
    seen: Iterator[Traffic] = iter([NONE, Traffic(10, 10, 5), Traffic(30, 30, 5)])
    verdict = watch(GOOD, LIMITS, lambda: next(seen), clock, clock.sleep)
    assert (verdict.problem, clock.now) == ("100.0 % of the requests fail", 2)


def test_where_nobody_comes_there_is_nothing_to_watch() -> None:
    clock = Clock()
    verdict = watch(NONE, LIMITS, lambda: NONE, clock, clock.sleep)
    assert (verdict.judged, clock.now) == (False, 0)
    assert str(verdict) == "too little traffic to judge the release by: 0 requests, 0.0 % errors, p95 0 ms"


def test_no_watch_is_one_look() -> None:
    clock = Clock()
    watch(GOOD, WatchSettings(seconds=0), lambda: GOOD, clock, clock.sleep)
    assert clock.now == 0
