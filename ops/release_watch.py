"""Watches a release that has just taken over: is it worse than the one before?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ops.traffic import Traffic

if TYPE_CHECKING:
    from components.settings import StackSettings, WatchSettings
    from ops.session import Session

# Before the update: what the release before is known by.
BEFORE_SECONDS = 60.0

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

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

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
    """Look once a second until the time is over, or until it is clear that the release is bad.

    `clock` counts the seconds since the switch.
    """
    while True:
        after = traffic_since_the_switch()
        problem = judge(before, after, limits)
        watched = clock()
        # Hardly anybody came before, nor has since: there will be nothing to judge by.
        idle = max(before.requests, after.requests) < limits.requests
        if problem or idle or watched >= limits.seconds:
            return WatchVerdict(before, after, problem, judged=after.requests >= limits.requests)
        sleep(min(PAUSE_SECONDS, limits.seconds - watched))


def watch_release(
    session: Session,
    settings: StackSettings,
    outputs: Mapping[str, Any],
    began: float,
    switched: float,
) -> WatchVerdict:
    """Watch what `outputs` tell of, by the gateway's log; times in seconds since the epoch.

    `began` is when the update did, and `switched` when it had ended. Raises OperationError.
    """
    from ops.engine import connect
    from ops.traffic import read_traffic

    api, health = connect(session.environment), settings.backend.health
    gateways, probes = outputs["containers"]["gateway"], {health.live, health.ready, health.report}
    try:
        return watch(
            read_traffic(api, gateways, began - BEFORE_SECONDS, began, probes),
            settings.deploy.watch,
            lambda: read_traffic(api, gateways, switched, time.time(), probes),
            # What has passed since the switch, verification included, has been watched too.
            clock=lambda: time.time() - switched,
            sleep=time.sleep,
        )
    finally:
        api.close()
