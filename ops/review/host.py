"""What posting asks of a host, so that it need not know which one it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


@dataclass(frozen=True)
class Comment:
    """One comment. `by_us`: written by the user of the token, so that it may be edited."""

    id: int
    body: str
    by_us: bool
    url: str = ""


@dataclass(frozen=True)
class PullRequest:
    """The pull (or merge) request. `commit` is the full hash of its head; `closed` or merged."""

    number: int
    commit: str
    url: str
    closed: bool


class Conclusion(Enum):
    """How a check ends."""

    SUCCESS = "success"
    NEUTRAL = "neutral"
    FAILURE = "failure"


@dataclass(frozen=True)
class Check:
    """What stands beside a commit. `title` is one line."""

    name: str
    conclusion: Conclusion
    title: str
    url: str = ""


class ReviewHost(Protocol):
    """One pull request at one host.

    The methods raise AnswerError, PostError, and, where they make or edit something, UnknownOutcomeError.
    """

    name: str
    limit: int
    """How many characters a comment may have."""
    rights: str
    """Which rights the token needs."""

    def pull_request(self) -> PullRequest: ...

    def comments(self) -> list[Comment]:
        """All of them, the oldest first."""
        ...

    def create(self, body: str) -> Comment: ...

    def read(self, comment: int) -> Comment | None:
        """The comment as it is now; None where it is gone."""
        ...

    def edit(self, comment: int, body: str) -> Comment | None:
        """The comment as it was stored; None where it is gone."""
        ...

    def delete(self, comment: int) -> None:
        """Delete it. No error where it is gone already."""
        ...

    def lock(self, comment: int) -> str | None:
        """Take the only lock of a comment, and return what releases it; None where another has it."""
        ...

    def lock_held(self, comment: int) -> tuple[str, float] | None:
        """What releases the lock that somebody has, and for how many seconds it has been held."""
        ...

    def release(self, comment: int, lock: str) -> None: ...

    def set_check(self, commit: str, check: Check) -> None: ...
