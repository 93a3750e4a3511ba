from __future__ import annotations

import pytest

from ops.review.retry import (
    LONGEST_SECONDS,
    SECONDARY_LIMIT_SECONDS,
    is_rate_limit,
    limited_seconds,
    passing_seconds,
)

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("status", "headers", "message", "limit"),
    [
        (429, {}, "", True),
        (403, {"retry-after": "5"}, "", True),
        (403, {"x-ratelimit-remaining": "0"}, "", True),
        (403, {}, "You have exceeded a secondary rate limit", True),
        (403, {}, "You have triggered an abuse detection mechanism", True),
        (403, {"x-ratelimit-remaining": "12"}, "Resource not accessible by integration", False),
        (404, {"retry-after": "5"}, "", False),
    ],
)
def test_a_limit_is_told_from_a_refusal(
    status: int, headers: dict[str, str], message: str, limit: bool
) -> None:
    assert is_rate_limit(status, headers, message) is limit


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30),
        ({"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0),
        ({"retry-after": "nonsense"}, SECONDARY_LIMIT_SECONDS),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 20)}, 21),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": str(int(NOW) + 20)}, SECONDARY_LIMIT_SECONDS),
        ({"ratelimit-reset": str(int(NOW) + 9)}, 10),
        ({}, SECONDARY_LIMIT_SECONDS),
    ],
)
def test_a_limit_says_how_long(headers: dict[str, str], seconds: float) -> None:
    assert limited_seconds(headers, NOW, attempt=0) == seconds


def test_a_limit_that_says_nothing_is_waited_for_longer_each_time() -> None:
    waits = [limited_seconds({}, NOW, attempt) for attempt in range(3)]
    assert waits == [60, 120, 240]


def test_faults_are_waited_for_longer_each_time_and_spread() -> None:
    least = [passing_seconds({}, NOW, attempt, 0.0) for attempt in range(8)]
    most = [passing_seconds({}, NOW, attempt, 1.0) for attempt in range(8)]
    assert least == sorted(least)
    assert all(low < high for low, high in zip(least, most, strict=True))
    assert most[-1] == LONGEST_SECONDS
    assert passing_seconds({"retry-after": "3"}, NOW, 0, 1.0) == 3
