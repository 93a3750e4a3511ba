"""A backend that is not ours, deployed with the settings that the README shows and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import docker
import pytest
import requests
import yaml

from tests.harness.checkout import ROOT, Checkout, containers_of, new_name, of_stack, swept
from tests.harness.inside import secret

README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def name(engine: docker.DockerClient) -> Iterator[str]:
    stack = new_name("notes")
    with swept(engine, stack):
        yield stack


@pytest.fixture(scope="module")
def url(checkout: Checkout, name: str) -> str:
    shown = re.search(r"```yaml\n(config:\n.*?)```", README, re.DOTALL)
    assert shown, "the README shows no settings"
    port = checkout.declare(name, yaml.safe_load(shown[1])["config"])
    return f"http://localhost:{port}"


def test_it_is_deployed_and_verified(checkout: Checkout, name: str, url: str) -> None:
    report = checkout.expect("up", name, "--json").document()
    assert report["verification"]["passed"] is True
    assert report["url"] == url


def test_it_serves_with_its_own_key_its_volume_and_its_redis(
    engine: docker.DockerClient, name: str, url: str
) -> None:
    backends = containers_of(engine, name, "backend")
    assert len(backends) == 2
    assert {backend.attrs["Config"]["User"] for backend in backends} == {"1234"}
    assert requests.post(f"{url}/notes", data="unsigned", timeout=5).status_code == 401
    headers = {"X-API-Key": secret(backends[0], "api_key")}
    for number, text in enumerate(["first", "second", "third"], start=1):
        answer = requests.post(f"{url}/notes", data=text, headers=headers, timeout=5)
        assert (answer.status_code, answer.text.strip()) == (201, f":{number}")
    assert requests.get(f"{url}/notes", timeout=5).text.split() == ["first", "second", "third"]


def test_it_leaves_nothing(checkout: Checkout, engine: docker.DockerClient, name: str) -> None:
    checkout.expect("down", name, "--yes")
    assert of_stack(engine, name) == []
