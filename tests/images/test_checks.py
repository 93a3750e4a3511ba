"""The checks of `verify` that look into an image without a shell, which no stack of the tests has."""

from __future__ import annotations

import docker

from tests.harness.deployed_stack import Running
from tests.harness.volume_files import LENDS_RIGHTS, packed


def test_files_that_lend_rights_are_found_without_a_shell(
    client: docker.DockerClient, redis_image: str
) -> None:
    # Never started: nothing can be run in it, as in an image without a shell.
    container = client.containers.create(redis_image)
    try:
        running = Running("redis", container)
        assert running.inside is None
        assert running.set_user_id_files() == []
        container.put_archive("/usr/bin", packed({"lends-rights": LENDS_RIGHTS}))
        assert running.set_user_id_files() == ["usr/bin/lends-rights"]
    finally:
        container.remove(v=True)
