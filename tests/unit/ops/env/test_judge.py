"""What the reaper decides: by expiry, pull request, idleness, and clocks that may be wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ops.env.judge import Action, Whose, judge, judge_clocks, whose
from ops.env.lease import Lease

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
LEASE = Lease("pr-17", "abc", NOW + HOUR, NOW - 23 * HOUR, "me@here:/state", "staging", 4001, 17)


@pytest.mark.parametrize(
    ("home", "owner", "expected"),
    [
        ("elsewhere", "abc", Whose.OWN),
        ("me@here:/state", None, Whose.LOST),
        ("me@here:/state", "another", Whose.LOST),
        ("me@here:/other", None, Whose.FOREIGN),
        ("me@there:/state", "another", Whose.FOREIGN),
    ],
)
def test_whose_it_is(home: str, owner: str | None, expected: Whose) -> None:
    assert whose(LEASE, home, owner) is expected


def test_without_an_owner_it_is_nobodys() -> None:
    assert whose(replace(LEASE, owner=""), LEASE.home, None) is Whose.FOREIGN
    assert whose(replace(LEASE, owner=""), "other", "") is Whose.FOREIGN


@pytest.mark.parametrize("standing", [Whose.OWN, Whose.LOST])
def test_what_has_expired_goes(standing: Whose) -> None:
    assert judge(LEASE, standing, NOW).action is Action.KEEP
    assert judge(LEASE, standing, NOW + HOUR).action is Action.DESTROY
    assert "expired 2 h ago" in judge(LEASE, standing, NOW + 3 * HOUR).reason


def test_what_another_state_made_is_told_and_left_alone() -> None:
    verdict = judge(LEASE, Whose.FOREIGN, NOW + HOUR, closed=True)
    assert (verdict.action, verdict.problem) == (Action.KEEP, True)
    assert LEASE.home in verdict.reason
    assert "has expired" in verdict.reason
    assert judge(LEASE, Whose.FOREIGN, NOW).problem is False


def test_a_closed_pull_request_ends_it_whatever_the_clock_says() -> None:
    for lease in (LEASE, replace(LEASE, expires=None), replace(LEASE, created=NOW + 9 * HOUR)):
        assert judge(lease, Whose.OWN, NOW, closed=True, clocks="apart").action is Action.DESTROY


@pytest.mark.parametrize(
    ("lease", "clocks", "words"),
    [
        (replace(LEASE, expires=None), "", "cannot be read"),
        (replace(LEASE, expires=NOW - HOUR, created=NOW + HOUR), "", "set back"),
        (replace(LEASE, expires=NOW - HOUR), "the clocks are apart", "the clocks are apart"),
        (replace(LEASE, expires=NOW + timedelta(days=40_000)), "", "expires only in"),
    ],
)
def test_what_makes_no_sense_is_kept_and_told(lease: Lease, clocks: str, words: str) -> None:
    verdict = judge(lease, Whose.OWN, NOW, clocks=clocks)
    assert (verdict.action, verdict.problem) == (Action.KEEP, True)
    assert words in verdict.reason


@pytest.mark.parametrize(
    ("idle_since", "idle", "action"),
    [
        (NOW - 2 * HOUR, HOUR, Action.STOP),
        (NOW - HOUR, HOUR, Action.STOP),
        (NOW - HOUR, 2 * HOUR, Action.KEEP),
        (None, HOUR, Action.KEEP),
        (NOW - 9 * HOUR, None, Action.KEEP),
    ],
)
def test_what_nobody_asks_is_stopped(
    idle_since: datetime | None, idle: timedelta | None, action: Action
) -> None:
    assert judge(LEASE, Whose.OWN, NOW, idle_since=idle_since, idle=idle).action is action


def test_clocks_that_disagree_are_told() -> None:
    assert judge_clocks(NOW, NOW + timedelta(minutes=4)) == ""
    assert judge_clocks(NOW, None) == ""
    assert "2 h apart" in judge_clocks(NOW, NOW - 2 * HOUR)
