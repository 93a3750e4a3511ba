"""What holds for every image of a service."""

from __future__ import annotations

import docker
import pytest

from tests.images.engine import Engine

USERS = {
    "postgres": "999:999",
    "redis": "999:999",
    "gateway": "99:99",
    "prometheus": "9090:9090",
    "alertmanager": "9093:9093",
    "exporters": "9100:9100",
}
# Half of Prometheus' is promtool, which checks what it is given.
LARGEST_MB = {
    "postgres": 160,
    "redis": 95,
    "gateway": 95,
    "prometheus": 290,
    "alertmanager": 135,
    "exporters": 125,
}


@pytest.fixture(params=sorted(USERS))
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def image(service: str, request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{service}_image"))


def _find(engine: Engine, image: str, *arguments: str) -> list[str]:
    return engine.output(image, ["/", "-xdev", *arguments], entrypoint="find", user="0").split()


def test_runs_as_its_own_user(client: docker.DockerClient, service: str, image: str) -> None:
    configuration = client.images.get(image).attrs["Config"]
    assert configuration["User"] == USERS[service]
    assert configuration["Healthcheck"]["Test"]
    assert configuration["StopSignal"]


def test_is_small(client: docker.DockerClient, service: str, image: str) -> None:
    assert client.images.get(image).attrs["Size"] < LARGEST_MB[service] * 1_000_000


def test_holds_no_file_that_lends_rights_and_no_private_key(engine: Engine, image: str) -> None:
    assert _find(engine, image, "-type", "f", "-perm", "/6000") == []
    assert _find(engine, image, "-name", "*.key") == []


def test_holds_no_package_lists_and_no_documentation(engine: Engine, image: str) -> None:
    assert _find(engine, image, "-path", "/var/lib/apt/lists/*", "-size", "+0", "-type", "f") == []
    assert _find(engine, image, "-path", "/usr/share/doc/*", "-type", "f") == []
