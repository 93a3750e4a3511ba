"""An environment of a pull request: previews are posted into it, and it goes when that is closed.

The host is GitHub's own description of its API, served on loopback.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import docker
import pytest

from tests.harness.checkout import Checkout, new_name, of_stack, swept
from tests.harness.environments import traces
from tests.review.conftest import GitHubSide
from tests.review.conftest import github as github
from tests.review.conftest import github_prism as github_prism

# The goal is 5 s on a quiet machine; this one may be three times slower, and busy.
POSTED_SECONDS = 30
PULL_REQUEST = "5"


@pytest.fixture(scope="module")
def name(engine: docker.DockerClient, checkout: Checkout) -> Iterator[str]:
    """An environment of the pull request."""
    subprocess.run(["git", "init", "--quiet", str(checkout.root)], check=True)
    made = new_name("env")
    with swept(engine, made):
        checkout.expect("env", "up", made, "--pr", PULL_REQUEST)
        yield made


@pytest.fixture
def runner(checkout: Checkout, github: GitHubSide) -> Checkout:
    """The same checkout, as a runner of the host has it."""
    return checkout.with_variables(**github.environment())


def test_a_preview_of_what_is_unchanged_is_posted(runner: Checkout, github: GitHubSide, name: str) -> None:
    began = time.monotonic()
    runner.expect("preview", name, "--post", "github")
    assert time.monotonic() - began < POSTED_SECONDS
    (comment,) = github.ours()
    assert name in comment["body"]
    assert "no change" in comment["body"].lower(), comment["body"]


def test_it_stays_while_nobody_can_say_whether_the_pull_request_is_closed(
    runner: Checkout, engine: docker.DockerClient, name: str
) -> None:
    before = set(of_stack(engine, name))
    reaped = runner.with_variables(GITHUB_TOKEN="ghp_unknown").medianest("env", "reap")
    assert "GitHub does not accept GITHUB_TOKEN" in reaped.said
    assert "ghp_unknown" not in reaped.said
    assert set(of_stack(engine, name)) == before


def test_it_goes_when_the_pull_request_is_closed(
    runner: Checkout, engine: docker.DockerClient, github: GitHubSide, name: str
) -> None:
    assert "kept" in runner.expect("env", "reap").out
    assert len(traces(runner, engine, name)) > 20
    github.api.state = "closed"
    document = runner.expect("env", "reap", "--json").document()
    (deed,) = [deed for deed in document["environments"] if deed["environment"] == name]
    assert (deed["action"], deed["done"]) == ("destroy", True)
    assert traces(runner, engine, name) == []
