"""What can be chosen on the command line."""

from __future__ import annotations

from enum import Enum


class Host(Enum):
    """The hosts that can be posted to."""

    GITHUB = "github"
    GITLAB = "gitlab"


class OnDanger(Enum):
    """What the check says of a change that interrupts or deletes data."""

    FAILURE = "failure"
    NEUTRAL = "neutral"
