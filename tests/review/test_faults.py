"""Limits, faults of the network, missing rights: no second comment, nothing hidden, the token nowhere."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from ops.errors import ExitCode
from ops.plan.markdown import render
from ops.plan.model import StackPlan
from ops.review.choices import Host
from ops.review.client import Client, Credential
from ops.review.errors import PostError, UnknownOutcomeError
from ops.review.post import post
from tests.review import github_api, gitlab_api
from tests.review.conftest import GitHubSide, GitLabSide, Side, shortly
from tests.review.github_api import FORBIDDEN
from tests.review.plans import change, plan
from tests.review.stand_in import Fault, Reply

MAKE = "/(comments|notes)$"
TOO_OFTEN = Reply(429, {"message": "Too Many Requests"}, {"Retry-After": "1"})
SECONDARY = Reply(
    403,
    {"message": "You have exceeded a secondary rate limit.", "documentation_url": "x"},
    {"Retry-After": "1"},
)
USED_UP = {"x-ratelimit-remaining": "0"}
BAD_GATEWAY = Reply(502, {"message": "Server Error"})


@pytest.mark.parametrize("reply", [TOO_OFTEN, SECONDARY, BAD_GATEWAY], ids=["429", "403", "502"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH|PUT"])
def test_what_passes_is_waited_for(side: Side, method: str, reply: Reply) -> None:
    verb = method if "|" not in method else ("PATCH" if isinstance(side, GitHubSide) else "PUT")
    if verb in ("PATCH", "PUT"):
        side.post(plan("staging"))
    side.server.faults.append(Fault(verb, "/(comments|notes)", reply=reply))
    side.post(plan("staging", change("backend")))
    assert not any(fault.times for fault in side.server.faults)
    [comment] = side.ours()
    assert "1 to update" in comment["body"]
    assert not side.locks()


def test_a_limit_of_github_is_waited_for_until_it_is_reset(github: GitHubSide) -> None:
    reset = {**USED_UP, "x-ratelimit-reset": str(int(time.time()) + 1)}
    limit = Reply(403, {"message": "API rate limit exceeded", "documentation_url": "x"}, reset)
    github.server.faults.append(Fault("GET", "/pulls/5$", reply=limit))
    github.post(plan("staging"))
    assert any("limits the rate of requests: waiting" in line for line in github.said)


def test_a_limit_that_lasts_too_long_is_not_waited_for(github: GitHubSide) -> None:
    limit = Reply(403, {"message": "API rate limit exceeded"}, {**USED_UP, "x-ratelimit-reset": "4000000000"})
    github.server.faults.append(Fault("GET", "/pulls/5$", reply=limit))
    with pytest.raises(PostError, match="would take longer than"):
        github.post(plan("staging"))
    assert not github.comments


def test_a_comment_made_by_a_request_that_was_cut_off_is_found(side: Side) -> None:
    side.server.faults.append(Fault("POST", MAKE, carried_out=True))
    side.post(plan("staging", change("backend")))
    assert side.server.count("POST", MAKE) == 1
    assert len(side.ours()) == 1


@pytest.mark.parametrize("carried_out", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH|PUT", "DELETE"])
def test_a_cut_connection_is_tried_again(side: Side, method: str, carried_out: bool) -> None:
    verb = method if "|" not in method else ("PATCH" if isinstance(side, GitHubSide) else "PUT")
    side.post(plan("staging"))
    side.server.faults.append(Fault(verb, "/(comments|notes|statuses|check-runs)", carried_out=carried_out))
    if verb == "POST":
        side.comments.clear()
    side.post(plan("staging", change("backend")))
    assert not any(fault.times for fault in side.server.faults)
    [comment] = side.ours()
    assert "1 to update" in comment["body"]


def test_a_host_that_is_slow_is_given_up_in_time(github: GitHubSide) -> None:
    github.server.faults.append(Fault("POST", MAKE, before=lambda: time.sleep(2)))
    said: list[str] = []
    credential = Credential("Authorization", "Bearer ", github_api.BOT_TOKEN)
    client = Client(github.server.address, credential, said.append, answer_seconds=0.5)
    began = time.monotonic()
    with pytest.raises(UnknownOutcomeError, match="does not answer in time"):
        client.create("/repos/octo/site/issues/5/comments", {"body": "x"})
    assert time.monotonic() - began < 2


def test_a_host_that_stays_broken_ends_with_one_clear_error(github: GitHubSide) -> None:
    github.server.faults.append(Fault("GET", "/user$", times=99, reply=BAD_GATEWAY))
    credential = Credential("Authorization", "Bearer ", github_api.BOT_TOKEN)
    pauses: list[float] = []
    client = Client(github.server.address, credential, github.said.append, sleep=pauses.append)
    with pytest.raises(PostError, match="answered 502, 6 times"):
        client.get("/user")
    assert len(pauses) == 5
    assert pauses[0] < 2 < pauses[-1]


def refusal(side: Side, *plans: StackPlan, **changed: str) -> PostError:
    host = Host.GITHUB if isinstance(side, GitHubSide) else Host.GITLAB
    environment = {**side.environment(), **changed}
    with pytest.raises(PostError) as caught:
        post(plans or [plan("staging")], host, environment, side.said.append, render=render, sleep=shortly)
    token = environment.get("GITHUB_TOKEN") or environment.get("GITLAB_TOKEN") or "none"
    said = [caught.value.message, caught.value.hint, *side.said]
    assert not any(token in line for line in said)
    assert caught.value.code is ExitCode.NOT_POSTED
    return caught.value


def test_a_pull_request_that_does_not_exist(github: GitHubSide, gitlab: GitLabSide) -> None:
    event = {"GITHUB_EVENT_PATH": "", "GITHUB_REF": "refs/pull/404/merge"}
    assert refusal(github, **event).message == "pull request 404 of octo/site does not exist"
    assert refusal(gitlab, CI_MERGE_REQUEST_IID="404").message == "merge request 404 does not exist"


def test_a_repository_that_the_token_does_not_see(github: GitHubSide, gitlab: GitLabSide) -> None:
    error = refusal(github, GITHUB_REPOSITORY="octo/hidden")
    assert "octo/hidden does not exist, or the token may not see it" in error.message
    assert "may not see it" in refusal(gitlab, CI_PROJECT_ID="99").message


def test_a_token_that_is_not_accepted(github: GitHubSide, gitlab: GitLabSide) -> None:
    assert refusal(github, GITHUB_TOKEN="ghp_expired0123").message == "GitHub does not accept GITHUB_TOKEN"
    assert refusal(gitlab, GITLAB_TOKEN="glpat-expired01").message == "GitLab does not accept GITLAB_TOKEN"


def test_a_token_that_can_only_read(github: GitHubSide) -> None:
    error = refusal(github, GITHUB_TOKEN=github_api.READING_TOKEN)
    assert "GitHub refuses the comment: 403 Resource not accessible by integration" in error.message
    assert "pull-requests: write" in error.hint


def test_a_token_that_cannot_edit(gitlab: GitLabSide) -> None:
    gitlab.post(plan("staging"))
    gitlab.server.faults.append(Fault("PUT", "", reply=Reply(403, {"message": "403 Forbidden"})))
    error = refusal(gitlab, plan("staging", change("backend")))
    assert "GitLab refuses the comment: 403" in error.message
    assert not gitlab.locks()


def test_a_check_that_cannot_be_set_is_told_and_no_more(github: GitHubSide) -> None:
    github.server.faults.append(Fault("POST", "/(check-runs|statuses)", times=2, reply=FORBIDDEN))
    posted = github.post(plan("staging", change("backend")))
    assert posted.missed == ("the check preview site/staging: 403 Resource not accessible by integration",)
    assert len(github.comments) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_host_is_not_followed(
    github: GitHubSide, gitlab: GitLabSide, status: int
) -> None:
    # "localhost" is another host than 127.0.0.1, though the same server would answer.
    elsewhere = gitlab.server.address.replace("127.0.0.1", "localhost")
    for side in (github, gitlab):
        away = Reply(status, {"message": "Moved"}, {"Location": f"{elsewhere}/api/v4/user"})
        side.server.faults.append(Fault("GET", "/(pulls|merge_requests)/5$", reply=away))
        before = len(gitlab.server.asked)
        error = refusal(side)
        assert "redirects to another host, localhost" in error.message
        assert not [one for one in gitlab.server.asked[before:] if one.path == "/api/v4/user"]


def test_a_redirect_on_the_host_is_followed(github: GitHubSide) -> None:
    moved = Reply(301, {"message": "Moved"}, {"Location": f"{github.server.address}/repos/octo/site/pulls/5"})
    github.server.faults.append(Fault("GET", "/pulls/5$", reply=moved))
    assert github.post(plan("staging")).number == 5


def test_a_token_of_netrc_does_not_take_the_place_of_ours(
    github: GitHubSide, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    github.post(plan("staging"))
    assert {one.headers["authorization"] for one in github.server.asked} == {f"Bearer {github_api.BOT_TOKEN}"}


def test_an_address_that_is_no_api(github: GitHubSide) -> None:
    page = Reply(200, None, {"Content-Type": "text/html"})
    github.server.faults.append(Fault("GET", "/pulls/5$", reply=replace(page, raw=b"<html>Sign in</html>")))
    assert "does not answer as an API does" in refusal(github).message


def test_the_token_is_not_repeated_where_the_host_repeats_it(gitlab: GitLabSide) -> None:
    repeating = Reply(400, {"message": f"bad token {gitlab_api.TOKEN}\x1b[31m"})
    gitlab.server.faults.append(Fault("POST", "/notes$", reply=repeating))
    assert "400 bad token [secret]" in refusal(gitlab).message


def test_no_part_of_the_token_is_left_where_a_message_is_cut(gitlab: GitLabSide) -> None:
    token = gitlab_api.TOKEN
    message = "x" * (300 - len(token) // 2) + token
    gitlab.server.faults.append(Fault("POST", "/notes$", reply=Reply(400, {"message": message})))
    said = refusal(gitlab).message
    assert "400 xxx" in said
    assert token[:4] not in said
