"""The images under test: those that the options name, else built as a stack builds them."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.harness.built_images import BuiltImages, build_images
from tests.harness.docker_client import docker_client
from tests.images.engine import Engine

SERVICES = ("postgres", "redis", "gateway", "prometheus", "alertmanager", "exporters")


def pytest_addoption(parser: pytest.Parser) -> None:
    for service in SERVICES:
        parser.addoption(f"--{service}-image", help=f"test this {service} image instead of building one")


@pytest.fixture(scope="session")
def built_images() -> BuiltImages:
    return build_images()


def _image(request: pytest.FixtureRequest, service: str) -> str:
    given = request.config.getoption(f"--{service}-image")
    return str(given or getattr(request.getfixturevalue("built_images"), service))


@pytest.fixture(scope="session")
def postgres_image(request: pytest.FixtureRequest) -> str:
    return _image(request, "postgres")


@pytest.fixture(scope="session")
def redis_image(request: pytest.FixtureRequest) -> str:
    return _image(request, "redis")


@pytest.fixture(scope="session")
def gateway_image(request: pytest.FixtureRequest) -> str:
    return _image(request, "gateway")


@pytest.fixture(scope="session")
def prometheus_image(request: pytest.FixtureRequest) -> str:
    return _image(request, "prometheus")


@pytest.fixture(scope="session")
def alertmanager_image(request: pytest.FixtureRequest) -> str:
    return _image(request, "alertmanager")


@pytest.fixture(scope="session")
def exporters_image(request: pytest.FixtureRequest) -> str:
    return _image(request, "exporters")


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    with docker_client() as client:
        yield client


@pytest.fixture
def engine(client: docker.DockerClient) -> Iterator[Engine]:
    engine = Engine(client)
    yield engine
    engine.clean_up()


@pytest.fixture(scope="module")
def shared_engine(client: docker.DockerClient) -> Iterator[Engine]:
    """For containers that the tests of a module only look at."""
    engine = Engine(client)
    yield engine
    engine.clean_up()
