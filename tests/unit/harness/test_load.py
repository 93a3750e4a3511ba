"""A load that does not go on for as long as it was to says nothing about what went on meanwhile."""

from __future__ import annotations

import os
import signal

import pytest

from tests.harness.load.load import steady_load
from tests.harness.processes import arguments, tree
from tests.harness.waiting import until


def test_a_load_that_ends_early_is_noticed() -> None:
    with pytest.raises(AssertionError, match="the load ended before"):
        kill_a_load()


def kill_a_load() -> None:
    with steady_load("http://127.0.0.1:1", []):
        (client,) = (pid for pid in tree(os.getpid()) if "tests.harness.load.client" in arguments(pid))
        os.kill(client, signal.SIGKILL)
        until(lambda: "tests.harness.load.client" not in arguments(client), "it is gone")
