"""The guardian's image, and one guarded stack for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.guardian.guarded import Guarded, guarded
from tests.harness.built_images import build_images
from tests.harness.docker_client import docker_client


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    with docker_client() as client:
        yield client


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--guardian-image", help="test this image instead of building one")


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--guardian-image") or build_images().guardian)


@pytest.fixture(scope="module")
def stack(client: docker.DockerClient, image: str) -> Iterator[Guarded]:
    with guarded(client, image) as made:
        yield made
