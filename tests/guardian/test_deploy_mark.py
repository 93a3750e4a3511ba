"""The mark that `up` puts onto the engine, as the proxy shows it to the guardian."""

from __future__ import annotations

import time

import requests

from components import labels
from components.guardian import PROXY_PORT
from ops.deploy_mark import deploying
from tests.guardian.guarded import Guarded


def marks(stack: Guarded) -> list[dict[str, dict[str, str]]]:
    proxy = stack.client.containers.get(f"{stack.stack}-engine-proxy")
    answer = requests.get(f"http://{stack.address(proxy)}:{PROXY_PORT}/volumes", timeout=10)
    return list(answer.json()["Volumes"] or [])


def test_the_mark_is_there_for_as_long_as_the_update_and_no_longer(stack: Guarded) -> None:
    api = stack.client.api
    left_by_a_killed_run = stack.client.volumes.create(labels=stack.labels("deploying"))
    another = {**stack.labels("deploying"), labels.SINCE: str(int(time.time())), labels.RUN: "elsewhere 1"}
    of_another_run = stack.client.volumes.create(labels=another)
    data = stack.client.volumes.create(labels=stack.labels("redis"))
    try:
        with deploying(api, "medianest-tests", stack.stack, stack.owner):
            found = marks(stack)
            assert len(found) == 3
            assert any(mark["Labels"].get("medianest.since", "").isdigit() for mark in found)
        assert [mark["Labels"].get(labels.RUN) for mark in marks(stack)] == ["elsewhere 1"]
        of_another_run.remove()
        assert marks(stack) == []
        names = [volume.name for volume in stack.client.volumes.list()]
        assert left_by_a_killed_run.name not in names
        assert data.name in names
    finally:
        data.remove()


def test_a_stack_that_nobody_owns_yet_is_not_marked(stack: Guarded) -> None:
    with deploying(stack.client.api, "medianest-tests", stack.stack, None):
        assert marks(stack) == []
