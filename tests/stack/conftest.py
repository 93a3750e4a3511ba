"""Whole stacks on the real engine, in checkouts with a state of their own."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.harness.checkout import Checkout
from tests.harness.docker_client import docker_client


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    with docker_client() as client:
        yield client


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    directory = tmp_path_factory.mktemp("checkout")
    return Checkout.of_this_tree(directory / "medianest", directory / "state")
