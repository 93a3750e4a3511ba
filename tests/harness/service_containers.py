"""Real Postgres and Redis in containers of a test's own, on a network of its own."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import docker
from docker.models.containers import Container

from tests.harness.built_images import BuiltImages

LABELS = {"medianest.tests": "services"}
START_SECONDS = 60


@dataclass(frozen=True)
class Services:
    """Two services on one network, with the URLs that reach them from inside it."""

    network: str
    postgres: Container
    redis: Container
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)


@contextmanager
def services(engine: docker.DockerClient, images: BuiltImages) -> Iterator[Services]:
    """Run both until the block ends, then remove them with their data."""
    name = f"medianest-tests-{secrets.token_hex(4)}"
    password = secrets.token_urlsafe(24)
    network = engine.networks.create(name, internal=True, labels=LABELS)
    started: list[Container] = []
    try:
        started += [
            engine.containers.run(
                images.postgres,
                ["postgres", "-c", "fsync=off"],
                environment={"POSTGRES_USER": "app", "POSTGRES_DB": "app", "POSTGRES_PASSWORD": password},
                hostname="postgres",
                network=name,
                labels=LABELS,
                detach=True,
            ),
            engine.containers.run(
                images.redis,
                # No users on a network of the test's own, which Redis would turn away.
                ["redis-server", "--protected-mode", "no"],
                hostname="redis",
                network=name,
                labels=LABELS,
                detach=True,
            ),
        ]
        postgres, redis = started
        wait_until(postgres, ["pg_isready", "-q", "-h", "127.0.0.1"])
        wait_until(redis, ["sh", "-c", "redis-cli ping | grep -q PONG"])
        yield Services(
            name,
            postgres,
            redis,
            f"postgresql://app:{password}@postgres:5432/app",
            "redis://redis:6379/0",
        )
    finally:
        for container in started:
            container.remove(force=True, v=True)
        network.remove()


def wait_until(container: Container, command: list[str]) -> None:
    """Wait until a command succeeds in a container. Raises AssertionError with its logs."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        container.reload()
        if container.status == "running" and container.exec_run(command).exit_code == 0:
            return
        time.sleep(0.2)
    raise AssertionError(f"{container.name} does not get ready:\n{container.logs().decode()}")
