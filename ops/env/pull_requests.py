"""Whether a pull request is closed, by what GitHub or GitLab says of it.

Sources: https://docs.github.com/rest/pulls/pulls#get-a-pull-request,
https://docs.gitlab.com/api/merge_requests/#get-single-mr.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

TIMEOUT_SECONDS = 10
IsClosed = Callable[[int], bool]


class UnknownError(Exception):
    """Nobody could say: the reason."""


@dataclass(frozen=True)
class Host:
    """Where pull requests are asked for. `url` has a place for the number."""

    url: str
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Host({self.url})"


def host_of(environ: Mapping[str, str]) -> Host | None:
    """The host that the variables of its own runners name; None without a token."""
    if (token := environ.get("GITHUB_TOKEN")) and (repository := environ.get("GITHUB_REPOSITORY")):
        api = environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
        return Host(f"{api}/repos/{repository}/pulls/{{number}}", headers)
    named = [environ.get(name, "") for name in ("GITLAB_TOKEN", "CI_API_V4_URL", "CI_PROJECT_ID")]
    if all(named):
        token, api, project = named
        url = f"{api.rstrip('/')}/projects/{project}/merge_requests/{{number}}"
        return Host(url, {"PRIVATE-TOKEN": token})
    return None


def is_closed(host: Host | None, number: int) -> bool:
    """Whether a pull request is closed or merged. Raises UnknownError, which never counts as closed."""
    if host is None:
        raise UnknownError(
            "no token (GITHUB_TOKEN with GITHUB_REPOSITORY, or GITLAB_TOKEN with CI_API_V4_URL and "
            "CI_PROJECT_ID)"
        )
    import requests

    try:
        # A redirect would take the token elsewhere.
        answer = requests.get(
            host.url.format(number=number),
            headers=dict(host.headers),
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )
        if answer.status_code != 200:
            raise UnknownError(f"the answer was {answer.status_code}")
        state = answer.json()["state"]
    except requests.RequestException as error:
        raise UnknownError(f"it cannot be reached ({type(error).__name__})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UnknownError("the answer is not understood") from error
    return state in ("closed", "merged")
