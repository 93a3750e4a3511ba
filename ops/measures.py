"""What one run can measure of a stack: memory, image size, how fast containers got healthy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import APIClient

Document = Mapping[str, Any]
# So many results of health checks the engine keeps of a container.
KEPT_RESULTS = 5


def memory_bytes(stats: Document) -> int:
    """Memory that a container holds on to: the cgroup's usage less its inactive file pages.

    Source: https://docs.docker.com/reference/cli/docker/container/stats/ (cgroup v1 and v2 name the
    inactive file pages differently).
    """
    memory = stats.get("memory_stats") or {}
    details = memory.get("stats") or {}
    inactive = details.get("total_inactive_file", details.get("inactive_file", 0))
    return max(0, int(memory.get("usage", 0)) - int(inactive))


def container_memory(api: APIClient, identifiers: Sequence[str]) -> dict[str, int]:
    """Bytes of memory by container id, of those that run."""

    def measure(identifier: str) -> int:
        return memory_bytes(api.stats(identifier, stream=False, one_shot=True))

    # Each answer takes the engine a moment: asked one after the other they add up.
    with ThreadPoolExecutor(max_workers=max(1, min(8, len(identifiers)))) as pool:
        return dict(zip(identifiers, pool.map(measure, identifiers), strict=True))


def start_to_healthy(inspected: Document) -> float | None:
    """Seconds from a container's start to its first successful health check.

    None where it has none, or where the engine, which keeps the last five results, no longer knows.
    """
    state = inspected.get("State") or {}
    results = (state.get("Health") or {}).get("Log") or []
    started = parse_time(state.get("StartedAt", ""))
    good = [result for result in results if result.get("ExitCode") == 0]
    healthy = parse_time(good[0]["End"]) if good else None
    # With five kept, the first of them may be a later one.
    forgotten = len(results) == KEPT_RESULTS and results[0].get("ExitCode") == 0
    if started is None or healthy is None or forgotten:
        return None
    return round((healthy - started).total_seconds(), 2)


def parse_time(text: str) -> datetime | None:
    """A time of the engine, which has nanoseconds; None for the zero time, which means never."""
    if not text or text.startswith("0001"):
        return None
    # Python reads microseconds, and takes the digits beyond them since 3.11.
    return datetime.fromisoformat(text)
