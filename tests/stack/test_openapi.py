"""The API of a running stack is what its description says, whoever asks and whatever is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import docker
import pytest
import requests

from tests.harness.built_images import build_images
from tests.harness.checkout import STAGING, Checkout, containers_of, new_name, swept
from tests.harness.inside import secret
from tests.harness.schema_check import SchemaCheck, check_schema

GATEWAY = "http://gateway:8080"
LOGOUT = "/api/auth/logout"


@dataclass(frozen=True)
class Served:
    """A stack, and what it takes to ask it."""

    engine: docker.DockerClient
    image: str
    network: str
    url: str
    password: str = field(repr=False)

    def token(self) -> str:
        credentials = {"username": "demo", "password": self.password}
        answer = requests.post(f"{self.url}/api/auth/login", json=credentials, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def check(self, headers: dict[str, str], *arguments: str) -> SchemaCheck:
        return check_schema(self.engine, self.image, self.network, GATEWAY, headers, arguments)


@pytest.fixture(scope="module")
def served(engine: docker.DockerClient, checkout: Checkout) -> Iterator[Served]:
    name = new_name("openapi")
    port = checkout.declare(name, STAGING)
    with swept(engine, name):
        checkout.expect("up", name, "--no-verify")
        backend = containers_of(engine, name, "backend")[0]
        networks = backend.attrs["NetworkSettings"]["Networks"]
        (public,) = [network for network in networks if "-public-" in network]
        password = secret(backend, "demo_password")
        yield Served(engine, build_images().app, public, f"http://127.0.0.1:{port}", password)


def test_strangers(served: Served) -> None:
    check = served.check({})
    assert check.exit_code == 0, check.said


def test_the_bearer_of_a_token(served: Served) -> None:
    # A logout would make a stranger of the bearer.
    check = served.check({"Authorization": f"Bearer {served.token()}"}, "--exclude-path", LOGOUT)
    assert check.exit_code == 0, check.said


def test_logging_out(served: Served) -> None:
    check = served.check({"Authorization": f"Bearer {served.token()}"}, "--include-path", LOGOUT)
    assert check.exit_code == 0, check.said
