"""When a request is tried again, and after how long. Pure decisions; times are in seconds.

Sources: GitHub, "Rate limits for the REST API" (429 or 403; `retry-after`, else `x-ratelimit-reset` when
none is left, else a minute); GitLab, "Rate limits" (429 with `Retry-After`, `RateLimit-Reset`);
RFC 9110, 10.2.3 (`Retry-After` is a number of seconds or a date).
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

PASSING = frozenset({408, 500, 502, 503, 504})
FIRST_SECONDS = 1.0
LONGEST_SECONDS = 30.0
SECONDARY_LIMIT_SECONDS = 60.0
SLACK_SECONDS = 1.0
"""A limit's end is told in whole seconds."""


def is_rate_limit(status: int, headers: Mapping[str, str], message: str) -> bool:
    """Whether an answer says "too often" rather than "you may not". Header names are in lower case."""
    if status == 429:
        return True
    words = message.lower()
    return status == 403 and (
        "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in words
        or "abuse detection" in words
    )


def limited_seconds(headers: Mapping[str, str], now: float, attempt: int) -> float:
    """How long a rate limit asks to wait. `now` is Unix time, `attempt` counts from 0."""
    asked = _seconds_or_date(headers.get("retry-after", ""), now)
    if asked is not None:
        return asked
    if headers.get("x-ratelimit-remaining") == "0":
        reset = headers.get("x-ratelimit-reset", "")
    else:
        reset = headers.get("ratelimit-reset", "")
    if reset.isdecimal():
        return max(0.0, float(reset) - now) + SLACK_SECONDS
    return SECONDARY_LIMIT_SECONDS * float(2**attempt)


def passing_seconds(headers: Mapping[str, str], now: float, attempt: int, chance: float) -> float:
    """How long to wait after a fault that may pass: what the host asks, else longer each time.

    `chance`, from 0 to 1, spreads those that failed together.
    """
    asked = _seconds_or_date(headers.get("retry-after", ""), now)
    if asked is not None:
        return asked
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * float(2**attempt))
    return longest / 2 + longest / 2 * chance


def _seconds_or_date(value: str, now: float) -> float | None:
    value = value.strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (TypeError, ValueError):
        return None
