"""What the command line asks of an engine works over SSH as well."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from components import labels
from components.engine_exec import feed
from ops.engine import connect
from ops.errors import OperationError
from ops.start_up import StartUpWatch
from tests.harness.built_images import build_images
from tests.harness.docker_client import docker_client
from tests.harness.ssh_engine import engine_over_ssh
from tests.harness.waiting import until


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment of somebody whose engine is behind SSH."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with engine_over_ssh(tmp_path) as address:
        yield {**os.environ, "DOCKER_HOST": address}


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    with docker_client() as client:
        yield client


def test_a_command_is_fed_and_says_what_came_of_it(
    elsewhere: dict[str, str], client: docker.DockerClient
) -> None:
    container = client.containers.run(
        build_images().redis, ["60"], entrypoint=["sleep"], network_mode="none", detach=True, init=True
    )
    api = connect(elsewhere)
    try:
        ended = feed(api, str(container.id), ["head", "-c", "12"], [b"over", b" the sea"])
        assert (ended.code, ended.said) == (0, "over the sea")
    finally:
        api.close()
        container.remove(force=True, v=True)


def test_the_watch_on_starts_sees_them_and_ends(
    elsewhere: dict[str, str], client: docker.DockerClient
) -> None:
    name, said = f"ssh-{uuid.uuid4().hex[:6]}", list[str]()
    own = {labels.PROJECT: "medianest", labels.STACK: name}
    with StartUpWatch(elsewhere, "medianest", name, said.append) as watch:
        container = client.containers.run(
            build_images().redis,
            ["-c", "exit 3"],
            entrypoint=["sh"],
            name=f"medianest-{name}-backend-0-abcdef",
            labels=own,
            network_mode="none",
            restart_policy={"Name": "always", "MaximumRetryCount": 0},
            detach=True,
        )
        try:
            until(lambda: gone(client, container), "it is given up", 60)
        finally:
            with suppress(APIError):
                container.remove(force=True, v=True)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert watch.evidence["backend-0"].exit_code == 3
    assert said == ["  ! backend-0 exits as soon as it starts: removing it"]


def gone(client: docker.DockerClient, container: Container) -> bool:
    try:
        client.containers.get(str(container.id))
    except NotFound:
        return True
    return False


def test_a_host_that_is_not_known_is_refused(elsewhere: dict[str, str]) -> None:
    (Path(elsewhere["HOME"]) / ".ssh" / "known_hosts").write_text("")
    with pytest.raises(OperationError, match="no Docker engine answers at ssh://") as refused:
        connect(elsewhere)
    assert "not found in known_hosts" in refused.value.hint
