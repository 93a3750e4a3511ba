"""The default backend beside real Postgres and Redis, for faults that are made real."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.harness.backend_container import BackendContainer, backend
from tests.harness.built_images import BuiltImages, build_images
from tests.harness.docker_client import docker_client
from tests.harness.service_containers import Services, services


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    with docker_client() as client:
        yield client


@pytest.fixture(scope="session")
def images() -> BuiltImages:
    return build_images()


@pytest.fixture(scope="module")
def beside(engine: docker.DockerClient, images: BuiltImages) -> Iterator[Services]:
    with services(engine, images) as running:
        yield running


@pytest.fixture(scope="module")
def running(engine: docker.DockerClient, images: BuiltImages, beside: Services) -> Iterator[BackendContainer]:
    with backend(engine, images, beside) as container:
        yield container
