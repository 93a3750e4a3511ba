"""The images under test: those that the options name, else built as a stack builds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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


def _image_of(service: str) -> Callable[[pytest.FixtureRequest], str]:
    @pytest.fixture(scope="session", name=f"{service}_image")
    def image(request: pytest.FixtureRequest) -> str:
        given = request.config.getoption(f"--{service}-image")
        return str(given or getattr(request.getfixturevalue("built_images"), service))

    return image


postgres_image = _image_of("postgres")
redis_image = _image_of("redis")
gateway_image = _image_of("gateway")
prometheus_image = _image_of("prometheus")
alertmanager_image = _image_of("alertmanager")
exporters_image = _image_of("exporters")


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
