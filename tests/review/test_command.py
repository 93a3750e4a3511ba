"""`./medianest preview --post`, from the settings file to the comment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.errors import ExitCode
from ops.review.comment import parse, section_key
from tests.harness.checkout import STAGING, Checkout, Run, new_name
from tests.review.conftest import GitHubSide
from tests.review.github_api import READING_TOKEN

STACK = new_name("post")


@dataclass(frozen=True)
class Ci:
    """A checkout in a CI run for a pull request."""

    checkout: Checkout
    summary: Path

    def preview(self, github: GitHubSide, **variables: str) -> Run:
        environment = {**github.environment(), "GITHUB_STEP_SUMMARY": str(self.summary), **variables}
        return self.checkout.with_variables(**environment).medianest(
            *("preview", STACK, "--post", "github", "--json"), timeout=120
        )


@pytest.fixture(scope="module")
def ci(tmp_path_factory: pytest.TempPathFactory) -> Ci:
    directory = tmp_path_factory.mktemp("ci")
    checkout = Checkout.of_this_tree(directory / "tree", directory / "state")
    checkout.declare(STACK, STAGING)
    return Ci(checkout, directory / "summary.md")


def test_a_new_stack_is_posted(ci: Ci, github: GitHubSide) -> None:
    run = ci.preview(github)
    assert run.code == 2, run.said
    [comment] = github.ours()
    assert f"Posted: {comment['html_url']}" in run.err
    [plan] = run.document()["stacks"]
    [section] = parse(comment["body"]).sections.values()
    assert (section.key, section.changes) == (section_key(plan["project"], STACK), len(plan["changes"]))
    assert "| resource | action | what changes | why | effect |" in section.text
    assert "| resource | action | what changes | why | effect |" in ci.summary.read_text()
    [check] = github.api.checks
    assert check["conclusion"] == "success"


def test_a_preview_that_fails_is_posted(ci: Ci, github: GitHubSide) -> None:
    settings = ci.checkout.settings_file(STACK)
    good = settings.read_text()
    settings.write_text(good + "  medianest:no-such-part: {}\n")
    try:
        run = ci.preview(github)
    finally:
        settings.write_text(good)
    assert run.code == ExitCode.FAILED, run.said
    [comment] = github.ours()
    assert "preview failed" in comment["body"]
    assert "no-such-part" in comment["body"].replace("\\", "")
    [check] = github.api.checks
    assert check["conclusion"] == "failure"


def test_a_plan_that_cannot_be_posted_is_shown_and_told_apart(ci: Ci, github: GitHubSide) -> None:
    run = ci.preview(github, GITHUB_TOKEN=READING_TOKEN)
    assert run.code == ExitCode.NOT_POSTED, run.said
    assert run.document()["code"] == 2
    assert "error: GitHub refuses the comment: 403 Resource not accessible by integration" in run.err
    assert "pull-requests: write" in run.err
    assert READING_TOKEN not in run.said


def test_what_is_missing_is_told_before_the_preview(ci: Ci, github: GitHubSide) -> None:
    run = ci.preview(github, GITHUB_TOKEN="")
    assert run.code == ExitCode.NOT_POSTED, run.said
    assert "GITHUB_TOKEN is not set" in run.err
    assert "Previewing" not in run.err
    assert not github.server.asked
