"""Whether a pull request is closed, as the reaper of environments asks."""

from __future__ import annotations

import pytest

from ops.env.pull_requests import UnknownError, is_closed
from tests.review.conftest import GitHubSide, GitLabSide, Side, shortly
from tests.review.stand_in import Fault, Reply


def closed(side: Side, number: int = 5) -> bool:
    return is_closed(side.environment(), number, side.said.append, sleep=shortly)


def test_github_says_that_it_is_closed(github: GitHubSide) -> None:
    assert closed(github) is False
    github.api.state = "closed"
    assert closed(github) is True


def test_gitlab_says_that_it_is_closed_or_merged(gitlab: GitLabSide) -> None:
    assert closed(gitlab) is False
    for state in ("closed", "merged"):
        gitlab.api.state = state
        assert closed(gitlab) is True


def test_a_fault_that_passes_is_waited_for(side: Side) -> None:
    side.server.faults.append(Fault("GET", "/5$", reply=Reply(502, {"message": "Server Error"})))
    assert closed(side) is False


def test_one_that_is_not_there_is_not_closed(side: Side) -> None:
    with pytest.raises(UnknownError, match=r"request 404 .*does not exist"):
        closed(side, 404)
