"""From a place to a client of its host."""

from __future__ import annotations

import time
from collections.abc import Callable

from ops.review.choices import Host
from ops.review.client import WHOLE_SECONDS, Client, Credential
from ops.review.github import API_VERSION, GitHub
from ops.review.gitlab import GitLab
from ops.review.host import ReviewHost
from ops.review.place import Place


def connect(
    place: Place,
    say: Callable[[str], None],
    *,
    whole_seconds: float = WHOLE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Client, ReviewHost]:
    """A client, and the pull request through it. Nothing is asked yet."""
    github = place.host is Host.GITHUB
    header, prefix = ("Authorization", "Bearer ") if github else ("PRIVATE-TOKEN", "")
    client = Client(
        place.address,
        Credential(header, prefix, place.token),
        say,
        headers={"X-GitHub-Api-Version": API_VERSION} if github else {},
        whole_seconds=whole_seconds,
        sleep=sleep,
    )
    return client, GitHub(client, place) if github else GitLab(client, place)
