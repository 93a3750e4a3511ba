from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.errors import ExitCode
from ops.review.choices import Host
from ops.review.errors import PostError
from ops.review.place import Place, find_place

GITHUB = {"GITHUB_TOKEN": "ghs_secret", "GITHUB_REPOSITORY": "octo/site"}
GITLAB = {"GITLAB_TOKEN": "glpat-secret", "CI_PROJECT_ID": "12"}


def find(host: Host, environment: dict[str, str], number: int | None = None) -> tuple[Place, list[str]]:
    said: list[str] = []
    return find_place(host, environment, number, said.append), said


def problem(host: Host, environment: dict[str, str], number: int | None = None) -> PostError:
    with pytest.raises(PostError) as caught:
        find(host, environment, number)
    assert caught.value.code is ExitCode.NOT_POSTED
    assert caught.value.hint
    assert "secret" not in f"{caught.value.message}{caught.value.hint}"
    return caught.value


def test_a_workflow_run_names_everything(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": "abc"}}}))
    environment = {
        **GITHUB,
        "GITHUB_API_URL": "https://github.corp.example/api/v3/",
        "GITHUB_SERVER_URL": "https://github.corp.example",
        "GITHUB_RUN_ID": "99",
        "GITHUB_EVENT_PATH": str(event),
        # The commit of a trial merge, which is in no branch.
        "GITHUB_SHA": "fff",
    }
    place, said = find(Host.GITHUB, environment)
    assert (place.number, place.commit, place.order) == (7, "abc", 99)
    assert place.run_url == "https://github.corp.example/octo/site/actions/runs/99"
    assert not said
    assert "secret" not in repr(place)
    other, _ = find(Host.GITHUB, environment, number=8)
    assert (other.number, other.commit) == (8, "")


def test_the_ref_names_the_pull_request_too() -> None:
    assert find(Host.GITHUB, {**GITHUB, "GITHUB_REF": "refs/pull/12/merge"})[0].number == 12


def test_gitlab_names_everything() -> None:
    environment = {
        **GITLAB,
        "CI_API_V4_URL": "https://git.corp.example/api/v4",
        "CI_MERGE_REQUEST_IID": "3",
        "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "abc",
        "CI_COMMIT_SHA": "fff",
        "CI_PIPELINE_ID": "88",
    }
    place, _ = find(Host.GITLAB, environment)
    assert (place.number, place.commit, place.order) == (3, "abc", 88)
    path = {"GITLAB_TOKEN": "glpat-secret", "CI_PROJECT_PATH": "group/sub/site"}
    assert find(Host.GITLAB, path, number=3)[0].repository == "group%2Fsub%2Fsite"


@pytest.mark.parametrize(
    ("host", "environment", "number", "words"),
    [
        (Host.GITHUB, {}, 1, "GITHUB_TOKEN is not set"),
        (Host.GITHUB, {"GITHUB_TOKEN": "  "}, 1, "GITHUB_TOKEN is not set"),
        (Host.GITHUB, {"GITHUB_TOKEN": "secret\nsecret"}, 1, "characters that are in no token"),
        (Host.GITHUB, {"GITHUB_TOKEN": "secret"}, 1, "no repository is named"),
        (Host.GITHUB, {**GITHUB, "GITHUB_REPOSITORY": "../../user"}, 1, "not owner/name"),
        (Host.GITHUB, GITHUB, None, "not a run for a pull request"),
        (Host.GITHUB, {**GITHUB, "GITHUB_REF": "refs/heads/main"}, None, "not a run for a pull request"),
        (Host.GITHUB, {**GITHUB, "GITHUB_EVENT_PATH": "/nowhere/event.json"}, None, "cannot be read"),
        (Host.GITHUB, {**GITHUB, "GITHUB_API_URL": "ftp://x"}, 1, "not one of http or https"),
        (Host.GITHUB, {**GITHUB, "GITHUB_API_URL": "https://secret:secret@x"}, 1, "a user or password"),
        (Host.GITLAB, {"CI_JOB_TOKEN": "secret"}, 1, "lets CI_JOB_TOKEN read comments, not write"),
        (Host.GITLAB, {"GITLAB_TOKEN": "secret"}, 1, "no repository is named"),
        (Host.GITLAB, GITLAB, None, "not a run for a pull request"),
        (Host.GITLAB, {**GITLAB, "CI_MERGE_REQUEST_IID": "x1"}, None, "'x1' is not the number"),
    ],
)
def test_what_is_missing_is_named(
    host: Host, environment: dict[str, str], number: int | None, words: str
) -> None:
    assert words in problem(host, environment, number).message


def test_an_address_without_encryption_is_told() -> None:
    _, said = find(Host.GITHUB, {**GITHUB, "GITHUB_API_URL": "http://git.example/api/v3"}, 1)
    assert "without encryption" in said[0]
    assert not find(Host.GITHUB, {**GITHUB, "GITHUB_API_URL": "http://127.0.0.1:8080"}, 1)[1]
