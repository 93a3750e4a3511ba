"""What the reaper does with an environment: decisions from facts, without effects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ops.env.duration import in_words
from ops.env.lease import Lease

# A clock that is off by more is wrong, and then nobody can tell which of two it is.
CLOCKS_APART = timedelta(minutes=5)
# No setting allows as much. A lease that is longer was made by a wrong clock, or by hand.
ABSURD = timedelta(days=366)


class Whose(StrEnum):
    """Who may touch an environment."""

    OWN = "own"
    """The state at hand knows it."""
    LOST = "lost"
    """Its lease names the state at hand, which does not know it any more."""
    FOREIGN = "foreign"
    """Another state made it: it is told, and left alone."""


class Action(StrEnum):
    """What to do with an environment."""

    KEEP = "keep"
    STOP = "stop"
    DESTROY = "destroy"


@dataclass(frozen=True)
class Verdict:
    """What is to be done, and why. `problem` says what a person has to look at."""

    action: Action
    reason: str
    problem: bool = False


def whose(lease: Lease, home: str, owner: str | None) -> Whose:
    """`owner` is the id of the stack in the state at hand, None where that does not know the stack."""
    if owner == lease.owner and owner:
        return Whose.OWN
    return Whose.LOST if lease.home == home and lease.owner else Whose.FOREIGN


def judge_clocks(here: datetime, engine: datetime | None) -> str:
    """Why no expiry may be acted upon; nothing where the engine's clock agrees with this machine's."""
    if engine is None or abs(here - engine) <= CLOCKS_APART:
        return ""
    return f"this machine's clock and the engine's are {in_words(abs(here - engine))} apart"


def judge(
    lease: Lease,
    whose: Whose,
    now: datetime,
    *,
    clocks: str = "",
    closed: bool = False,
    idle_since: datetime | None = None,
    idle: timedelta | None = None,
) -> Verdict:
    """What to do with an environment at `now`.

    `clocks` says why times cannot be trusted; `closed` that its pull request is; `idle` after how long
    without a request it is stopped. An expiry counts only if the clock makes sense with it.
    """
    if whose is Whose.FOREIGN:
        over = " and has expired" if lease.expires and lease.expires <= now else ""
        return Verdict(Action.KEEP, f"another state made it ({lease.home or 'unknown'}){over}", bool(over))
    if closed:
        return Verdict(Action.DESTROY, f"pull request {lease.pull_request} is closed")
    if lease.expires is None:
        return Verdict(Action.KEEP, "its lease cannot be read", True)
    if clocks:
        return Verdict(Action.KEEP, f"{clocks}: nothing is judged by time", True)
    if lease.created and now < lease.created - CLOCKS_APART:
        return Verdict(Action.KEEP, "its lease is from the future: the clock has been set back", True)
    if lease.expires <= now:
        return Verdict(Action.DESTROY, f"expired {in_words(now - lease.expires)} ago")
    if lease.expires - now > ABSURD:
        return Verdict(Action.KEEP, f"expires only in {in_words(lease.expires - now)}", True)
    if idle and idle_since and now - idle_since >= idle:
        return Verdict(Action.STOP, f"no request for {in_words(now - idle_since)}")
    return Verdict(Action.KEEP, f"expires in {in_words(lease.expires - now)}")
