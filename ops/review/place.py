"""Where to post: host, repository, pull request, token and run, as the environment of a CI job tells."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ops.review.choices import Host
from ops.review.errors import PostError

PUBLIC_GITHUB = "https://api.github.com"
PUBLIC_GITLAB = "https://gitlab.com/api/v4"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Place:
    """One pull (or merge) request, and who posts there."""

    host: Host
    address: str
    """Where the API begins."""
    repository: str
    """As it stands in a path of the API: `owner/name`, or GitLab's number or quoted path."""
    number: int
    token: str = field(repr=False)
    commit: str = ""
    """The full hash that was previewed, where the environment tells it."""
    run_url: str = ""
    order: int = 0
    """Grows from run to run; 0 outside of CI."""


def find_place(
    host: Host, environment: Mapping[str, str], number: int | None, say: Callable[[str], None]
) -> Place:
    """The place that the environment names. Raises PostError, with what to set, where it does not."""
    place = (_github if host is Host.GITHUB else _gitlab)(environment, number)
    parts = urlsplit(place.address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PostError("the address of the API is not one of http or https", _ADDRESS_HINT)
    if parts.username or parts.password:
        raise PostError("the address of the API holds a user or password", _ADDRESS_HINT)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        say(f"{parts.hostname} is spoken to without encryption: whoever is on the way can read the token")
    return place


_ADDRESS_HINT = "Check GITHUB_API_URL (https://HOST/api/v3) or CI_API_V4_URL (https://HOST/api/v4)."


def _github(environment: Mapping[str, str], number: int | None) -> Place:
    token = _token(environment, "GITHUB_TOKEN", "In a workflow: env: GITHUB_TOKEN: ${{ github.token }}")
    repository = environment.get("GITHUB_REPOSITORY", "")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII):
        raise PostError(
            f"GITHUB_REPOSITORY is {repository!r}, not owner/name"
            if repository
            else "no repository is named",
            "Set GITHUB_REPOSITORY=owner/name: GitHub Actions does so by itself.",
        )
    event = _event(environment.get("GITHUB_EVENT_PATH", ""))
    pull_request = event.get("pull_request")
    pull_request = pull_request if isinstance(pull_request, dict) else {}
    of_event = pull_request.get("number") or _number_of_ref(environment.get("GITHUB_REF", ""))
    commit = ""
    if pull_request and number in (None, of_event):
        head = pull_request.get("head")
        commit = str(head.get("sha", "")) if isinstance(head, dict) else ""
    run = environment.get("GITHUB_RUN_ID", "")
    server = environment.get("GITHUB_SERVER_URL", "").rstrip("/")
    return Place(
        Host.GITHUB,
        environment.get("GITHUB_API_URL") or PUBLIC_GITHUB,
        repository,
        _valid_number(number or of_event, "GITHUB_EVENT_PATH, GITHUB_REF"),
        token,
        commit,
        f"{server}/{repository}/actions/runs/{run}" if server and run.isdecimal() else "",
        int(run) if run.isdecimal() else 0,
    )


def _gitlab(environment: Mapping[str, str], number: int | None) -> Place:
    hint = "Make a project access token (role Reporter, scope api) and give it as a masked CI/CD variable."
    if not environment.get("GITLAB_TOKEN") and environment.get("CI_JOB_TOKEN"):
        raise PostError(
            "GITLAB_TOKEN is not set, and GitLab lets CI_JOB_TOKEN read comments, not write", hint
        )
    token = _token(environment, "GITLAB_TOKEN", hint)
    project = environment.get("CI_PROJECT_ID") or environment.get("CI_PROJECT_PATH", "")
    if not project:
        raise PostError(
            "no repository is named", "Set CI_PROJECT_ID, or CI_PROJECT_PATH=group/name: GitLab CI does so."
        )
    of_event = environment.get("CI_MERGE_REQUEST_IID", "")
    here = number is None or str(number) == of_event
    # In a pipeline for merged results CI_COMMIT_SHA is a commit that is in no branch.
    commit = environment.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or environment.get("CI_COMMIT_SHA", "")
    pipeline = environment.get("CI_PIPELINE_ID", "")
    return Place(
        Host.GITLAB,
        environment.get("CI_API_V4_URL") or PUBLIC_GITLAB,
        quote(project, safe=""),
        _valid_number(number or of_event, "CI_MERGE_REQUEST_IID"),
        token,
        commit if here else "",
        environment.get("CI_JOB_URL", ""),
        int(pipeline) if pipeline.isdecimal() else 0,
    )


def _token(environment: Mapping[str, str], variable: str, hint: str) -> str:
    token = environment.get(variable, "").strip()
    if not token:
        raise PostError(f"{variable} is not set: posting needs a token", hint)
    # A header with another character would be refused by an error that shows it.
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise PostError(f"{variable} holds characters that are in no token", "Set it anew, on one line.")
    return token


def _event(path: str) -> dict[str, Any]:
    if not path:
        return {}
    try:
        document = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise PostError(
            f"the event cannot be read from {path} (GITHUB_EVENT_PATH)", "Name the pull request: --pr N"
        ) from error
    return document if isinstance(document, dict) else {}


def _number_of_ref(ref: str) -> str:
    match = re.fullmatch(r"refs/pull/(\d+)/(?:merge|head)", ref)
    return match.group(1) if match else ""


def _valid_number(number: Any, variables: str) -> int:
    if not number:
        raise PostError(f"this is not a run for a pull request ({variables} name none)", "Name it: --pr N")
    if not str(number).isdecimal() or int(number) < 1:
        raise PostError(f"{number!r} is not the number of a pull request", "Name it: --pr N")
    return int(number)
