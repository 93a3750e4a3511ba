"""Whether a pull request is closed, by what GitHub or GitLab says of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from ops.review.choices import Host

# The reaper asks for one after the other, and comes again.
WHOLE_SECONDS = 20.0
VARIABLES = {
    Host.GITHUB: ("GITHUB_TOKEN", "GITHUB_REPOSITORY"),
    # Without its address it would be asked of gitlab.com, with a token that may be for another host.
    Host.GITLAB: ("GITLAB_TOKEN", "CI_API_V4_URL", "CI_PROJECT_ID"),
}


class UnknownError(Exception):
    """Nobody could say: the reason."""


def host_of(environ: Mapping[str, str]) -> Host | None:
    """The host that the variables of its own runners name; None without a token."""
    return next((host for host, names in VARIABLES.items() if all(map(environ.get, names))), None)


def is_closed(
    environ: Mapping[str, str],
    number: int,
    say: Callable[[str], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether a pull request is closed or merged. Raises UnknownError, which never counts as closed."""
    from ops.review.connect import connect
    from ops.review.errors import PostError
    from ops.review.place import find_place

    host = host_of(environ)
    if host is None:
        raise UnknownError(
            "no token (GITHUB_TOKEN with GITHUB_REPOSITORY, or GITLAB_TOKEN with CI_API_V4_URL and "
            "CI_PROJECT_ID)"
        )
    try:
        place = find_place(host, environ, number, say)
        _, review = connect(place, say, whole_seconds=WHOLE_SECONDS, sleep=sleep)
        return review.pull_request().closed
    except PostError as error:
        raise UnknownError(error.message) from error
    except (KeyError, TypeError) as error:
        raise UnknownError("the answer is not understood") from error
