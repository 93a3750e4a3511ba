from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ops.plan.markdown import render
from ops.plan.model import StackPlan
from ops.review.choices import Host
from ops.review.post import Posted, post
from tests.review import github_api, gitlab_api, prism, stand_in
from tests.review.github_api import GitHubApi
from tests.review.gitlab_api import GitLabApi
from tests.review.prism import Prism
from tests.review.stand_in import Document, StandIn


def shortly(seconds: float) -> None:
    """A pause in a twentieth of its time."""
    time.sleep(seconds / 20)


@pytest.fixture(scope="session")
def github_prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prism]:
    """GitHub's own published description."""
    with prism.serving(prism.github_description(tmp_path_factory.mktemp("github"))) as server:
        yield server


@pytest.fixture(scope="session")
def gitlab_prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prism]:
    """What GitLab documents."""
    description = tmp_path_factory.mktemp("gitlab") / "gitlab.yaml"
    description.write_text((Path(__file__).parent / "gitlab.yaml").read_text())
    with prism.serving(description) as server:
        yield server


@dataclass
class GitHubSide:
    """A pull request on GitHub, and runs that post into it."""

    server: StandIn
    api: GitHubApi
    event: Path
    said: list[str] = field(default_factory=list)

    def environment(self, token: str = github_api.BOT_TOKEN, run: int = 1000) -> dict[str, str]:
        return {
            "GITHUB_TOKEN": token,
            "GITHUB_API_URL": self.server.address,
            "GITHUB_REPOSITORY": "octo/site",
            "GITHUB_EVENT_PATH": str(self.event),
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_RUN_ID": str(run),
        }

    def post(
        self,
        *plans: StackPlan,
        token: str = github_api.BOT_TOKEN,
        run: int = 1000,
        sleep: Callable[[float], None] = shortly,
    ) -> Posted:
        environment = self.environment(token, run)
        return post(plans, Host.GITHUB, environment, self.said.append, render=render, sleep=sleep)

    @property
    def comments(self) -> list[Document]:
        return self.api.comments

    def ours(self) -> list[Document]:
        """The comments by the user of a token."""
        return [one for one in self.comments if one["user"] != github_api.PERSON]

    def person(self, body: str) -> Document:
        """A person's comment."""
        return self.api.add(github_api.PERSON, body)

    def hold_lock(self, comment: int, since: str = "") -> None:
        self.api.react(comment, github_api.BOT, "eyes", since)

    def drop_locks(self) -> None:
        self.api.reactions.clear()

    def locks(self) -> list[Document]:
        return [one for reactions in self.api.reactions.values() for one in reactions]


@dataclass
class GitLabSide:
    """A merge request on GitLab, and runs that post into it."""

    server: StandIn
    api: GitLabApi
    said: list[str] = field(default_factory=list)

    def environment(self, run: int = 1000) -> dict[str, str]:
        return {
            "GITLAB_TOKEN": gitlab_api.TOKEN,
            "CI_API_V4_URL": f"{self.server.address}/api/v4",
            "CI_PROJECT_ID": "12",
            "CI_MERGE_REQUEST_IID": "5",
            "CI_PIPELINE_ID": str(run),
            "CI_JOB_URL": "https://gitlab.example/job/1",
        }

    def post(self, *plans: StackPlan, run: int = 1000) -> Posted:
        environment = self.environment(run)
        return post(plans, Host.GITLAB, environment, self.said.append, render=render, sleep=shortly)

    @property
    def comments(self) -> list[Document]:
        return self.api.notes

    def ours(self) -> list[Document]:
        return [one for one in self.comments if one["author"] != gitlab_api.PERSON]

    def person(self, body: str) -> Document:
        return self.api.add(gitlab_api.PERSON, body)

    def hold_lock(self, comment: int, since: str = "") -> None:
        self.api.award(comment, gitlab_api.ROBOT, "eyes", since)

    def drop_locks(self) -> None:
        self.api.awards.clear()

    def locks(self) -> list[Document]:
        return [one for awards in self.api.awards.values() for one in awards]


@pytest.fixture
def github(github_prism: Prism, tmp_path: Path) -> Iterator[GitHubSide]:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 5, "head": {"sha": github_api.HEAD}}}))
    api = GitHubApi()
    with stand_in.serving(api, github_prism) as server:
        yield GitHubSide(server, api, event)


@pytest.fixture
def gitlab(gitlab_prism: Prism) -> Iterator[GitLabSide]:
    api = GitLabApi()
    with stand_in.serving(api, Prism(gitlab_prism.address, prefix="/api/v4")) as server:
        yield GitLabSide(server, api)


Side = GitHubSide | GitLabSide


@pytest.fixture(params=["github", "gitlab"])
def side(request: pytest.FixtureRequest) -> Side:
    """Both hosts, one after the other."""
    found: Side = request.getfixturevalue(request.param)
    return found
