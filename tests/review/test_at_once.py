"""Runs that post at the same time lose nothing and leave one comment."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ops.review.comment import parse
from tests.review.conftest import GitHubSide, GitLabSide, Side
from tests.review.plans import change, plan
from tests.review.stand_in import Fault, together

RUNS = 6
LONG_AGO = "2020-01-01T00:00:00Z"


def post_at_once(side: Side, stacks: list[str], **options: Any) -> None:
    with ThreadPoolExecutor(len(stacks)) as pool:
        runs = [
            pool.submit(side.post, plan(stack, change(f"of-{stack}")), run=1000 + number, **options)
            for number, stack in enumerate(stacks)
        ]
        for run in runs:
            run.result(timeout=150)


def sections_of_the_one(side: Side) -> set[str]:
    [comment] = side.ours()
    return {key.removeprefix("site/") for key in parse(comment["body"]).sections}


def test_different_stacks_where_there_is_no_comment_yet(side: Side) -> None:
    # All have seen that there is none before the first is made.
    side.server.faults.append(Fault("POST", "/(comments|notes)$", times=RUNS, before=together(RUNS)))
    stacks = [f"s{number}" for number in range(RUNS)]
    post_at_once(side, stacks)
    assert side.server.count("POST", "/(comments|notes)$") == RUNS
    assert sections_of_the_one(side) == set(stacks)
    assert not side.locks()


def test_different_stacks_where_there_is_a_comment(side: Side) -> None:
    side.post(plan("first"))
    stacks = [f"s{number}" for number in range(RUNS)]
    post_at_once(side, stacks)
    assert sections_of_the_one(side) == {"first", *stacks}
    assert side.server.count("POST", "/(comments|notes)$") == 1


def test_the_same_stack_ends_with_the_latest_run(side: Side) -> None:
    post_at_once(side, ["staging"] * RUNS)
    [comment] = side.ours()
    assert f"order={1000 + RUNS - 1} " in comment["body"]


def test_both_read_before_both_write_where_the_host_has_no_lock(github: GitHubSide) -> None:
    github.api.with_reactions = False
    github.post(plan("first"))
    github.server.faults.append(Fault("PATCH", "", times=2, before=together(2)))
    # In full time: on a slow machine a short pause would not outlast the other's request.
    post_at_once(github, ["left", "right"], sleep=time.sleep)
    assert sections_of_the_one(github) == {"first", "left", "right"}


def test_two_that_got_the_lock_of_gitlab_are_told_apart(gitlab: GitLabSide) -> None:
    gitlab.api.checked_awards = False
    gitlab.post(plan("first"))
    post_at_once(gitlab, ["left", "right", "middle"])
    assert sections_of_the_one(gitlab) == {"first", "left", "right", "middle"}
    assert not gitlab.locks()


def test_the_lock_of_a_dead_run_is_taken_over(side: Side) -> None:
    side.post(plan("first"))
    side.hold_lock(side.comments[0]["id"], since=LONG_AGO)
    side.post(plan("second"))
    assert sections_of_the_one(side) == {"first", "second"}
    assert not side.locks()


def test_the_lock_of_a_living_run_is_waited_for(side: Side) -> None:
    side.post(plan("first"))
    comment = side.comments[0]["id"]
    side.hold_lock(comment)
    # The other is done when it has been looked at once.
    side.server.faults.append(Fault("GET", "/(reactions|award_emoji)$", after=side.drop_locks))
    side.post(plan("second"))
    assert "Another run is writing the comment: waiting for it" in side.said
    assert sections_of_the_one(side) == {"first", "second"}
