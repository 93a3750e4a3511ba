"""Watches a release that has just taken over: is it worse than the one before?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.traffic import Traffic

if TYPE_CHECKING:
    from components.settings import WatchSettings

# Nobody came before and nobody has come since: there will be nothing to judge by.
IDLE_SECONDS = 3.0
PAUSE_SECONDS = 1.0
# A share that was there before is not the new release's doing, but twice as much is.
WORSE = 2.0


@dataclass(frozen=True)
class WatchVerdict:
    """How the watch ended. `problem` is empty where nothing speaks against the release."""

    before: Traffic
    after: Traffic
    problem: str = ""
    judged: bool = True

    def __str__(self) -> str:
        if not self.judged:
            return f"too little traffic to judge the release by: {self.after}"
        said = self.problem or "the release serves as well as the one before"
        return f"{said} ({self.after}; before: {self.before})"


def judge(before: Traffic, after: Traffic, limits: WatchSettings) -> str:
    """What is wrong with the traffic since the switch, in a few words; nothing where it is fine."""
    if after.requests < limits.requests:
        return ""
    errors = after.error_percent
    if errors > limits.error_percent and errors > before.error_percent * WORSE:
        return f"{errors:.1f} % of the requests fail"
    comparable = before.requests >= limits.requests
    if comparable and after.p95_ms > max(limits.response_ms, before.p95_ms * limits.slower):
        return f"answers are slow: {after.p95_ms:.0f} ms for the slowest 5 %"
    return ""


def watch(
    before: Traffic,
    limits: WatchSettings,
    traffic_since_the_switch: Callable[[], Traffic],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> WatchVerdict:
    """Look once a second until the time is over, or until it is clear that the release is bad."""
    began = clock()
    while True:
        after = traffic_since_the_switch()
        problem = judge(before, after, limits)
        watched = clock() - began
        idle = not before.requests and not after.requests and watched >= IDLE_SECONDS
        if problem or idle or watched >= limits.seconds:
            return WatchVerdict(before, after, problem, judged=after.requests >= limits.requests)
        sleep(min(PAUSE_SECONDS, limits.seconds - watched))
