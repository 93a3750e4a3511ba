"""Which marks go with a run: its own, and those that nobody is behind any more."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any, cast

import pytest
from docker.errors import APIError

from components import labels
from guardian.settings import Settings
from ops.deploy_mark import COUNTS_SECONDS, deploying, is_over
from ops.lock import this_host

NOW = 1_800_000_000


def mark(ago: float, run: str = "elsewhere 1") -> dict[str, str]:
    return {labels.SINCE: str(int(NOW - ago)), labels.RUN: run}


@pytest.mark.parametrize(
    ("own", "over"),
    [
        (mark(60), False),
        (mark(COUNTS_SECONDS + 1), True),
        (mark(60, f"{this_host()} {os.getpid()}"), False),
        # No process can have as high a number.
        (mark(60, f"{this_host()} 99999999"), True),
        (mark(60, "another-host 99999999"), False),
        ({labels.SINCE: str(NOW)}, False),
        ({}, True),
    ],
)
def test_a_mark_is_over_when_its_run_or_its_time_is(own: dict[str, str], over: bool) -> None:
    assert is_over(own, NOW) is over


def test_it_counts_as_long_as_the_guardian_heeds_it() -> None:
    (default,) = [field.default for field in fields(Settings) if field.name == "deploy_seconds"]
    assert default == COUNTS_SECONDS


class FailingEngine:
    """Makes a mark, and then answers nothing any more."""

    def create_volume(self, **_: Any) -> dict[str, str]:
        return {"Name": "mark"}

    def remove_volume(self, _: str) -> None:
        raise APIError("gone")

    def volumes(self, **_: Any) -> dict[str, Any]:
        raise ConnectionError


def test_an_engine_that_fails_at_the_end_does_not_hide_how_it_went() -> None:
    engine = cast(Any, FailingEngine())
    with deploying(engine, "p", "s", "me"):
        pass
    with pytest.raises(ValueError, match="the outcome"), deploying(engine, "p", "s", "me"):
        raise ValueError("the outcome")
