"""What the gateway's log tells of the traffic: how much, how many errors, how slow."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import APIClient

# Of one gateway in one look. Beyond that the newest lines alone are judged by.
MOST_LINES = 50_000


@dataclass(frozen=True)
class Traffic:
    """Requests of a span of time. `errors` are answers of 500 and above; `p95_ms` is in milliseconds."""

    requests: int = 0
    errors: int = 0
    p95_ms: float = 0.0

    @property
    def error_percent(self) -> float:
        return 100 * self.errors / self.requests if self.requests else 0.0

    def __str__(self) -> str:
        return f"{self.requests} requests, {self.error_percent:.1f} % errors, p95 {self.p95_ms:.0f} ms"


@dataclass(frozen=True)
class Request:
    """One request in a gateway's log."""

    path: str
    status: int
    took_ms: float


def read_request(line: str) -> Request | None:
    """The request that a line of the log tells of; None for any other line."""
    try:
        request = json.loads(line)
        return Request(str(request["path"]), int(request["status"]), float(request["total_ms"]))
    except (ValueError, TypeError, KeyError):
        return None


def traffic_of(lines: Iterable[str], ignored_paths: Collection[str] = ()) -> Traffic:
    """Count the requests in a gateway's log. Probes of health are no traffic; other lines are none either."""
    times: list[float] = []
    errors = 0
    for line in lines:
        request = read_request(line)
        if request is None or request.path in ignored_paths:
            continue
        times.append(request.took_ms)
        errors += request.status >= 500
    times.sort()
    return Traffic(len(times), errors, times[math.ceil(0.95 * len(times)) - 1] if times else 0.0)


def read_traffic(
    api: APIClient, gateways: Collection[str], since: float, until: float, ignored_paths: Collection[str]
) -> Traffic:
    """The traffic between two times, in seconds since the epoch, as the engine has it in its logs."""
    lines: list[str] = []
    for gateway in gateways:
        log: bytes = api.logs(gateway, since=since, until=until, tail=MOST_LINES)
        lines += log.decode(errors="replace").splitlines()
    return traffic_of(lines, ignored_paths)
