"""Whole stacks on the real engine, in checkouts with a state of their own."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.harness.checkout import Checkout


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    directory = tmp_path_factory.mktemp("checkout")
    return Checkout.of_this_tree(directory / "medianest", directory / "state")
