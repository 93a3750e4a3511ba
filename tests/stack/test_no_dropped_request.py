"""Changes of every kind under a steady load: no request fails, no acknowledged write is lost or doubled.

Roll-backs, rotations and bad releases are put under the same load where they are tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import docker
import pytest

from tests.harness.checkout import STAGING, Checkout, containers_of, new_name, swept
from tests.harness.load.account import Account, demo_account

BACKEND = STAGING["medianest:backend"]


@dataclass(frozen=True)
class Deployed:
    """A stack with one replica and a user of it."""

    checkout: Checkout
    engine: docker.DockerClient
    name: str
    port: int
    user: Account

    def up(self, backend: Mapping[str, Any], gateway: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self.checkout.declare(self.name, settings(backend, gateway or {}), self.port)
        report = self.checkout.expect("up", self.name, "--no-verify", "--json").document()
        assert report["probe"]["failed"] == 0, (report["probe"], self.failed_at_the_gateway())
        return report

    def failed_at_the_gateway(self) -> list[str]:
        """What the gateway says of the requests that failed there, and of its servers."""
        (gateway,) = containers_of(self.engine, self.name, "gateway")
        lines = gateway.logs().decode(errors="replace").splitlines()
        return [line for line in lines if '"status":5' in line or not line.startswith("{")]

    @contextmanager
    def losing_nothing(self, title: str) -> Iterator[None]:
        """A load of which nothing is lost; if something is, what the gateway says is in the output."""
        try:
            with self.user.losing_nothing(title):
                yield
        finally:
            print("\n".join(self.failed_at_the_gateway()[-40:]))

    @property
    def replicas(self) -> int:
        return len(containers_of(self.engine, self.name, "backend"))


def settings(backend: Mapping[str, Any], gateway: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **STAGING,
        "medianest:backend": {**BACKEND, "replicas": 1, **backend},
        "medianest:gateway": gateway,
        "medianest:deploy": {"watch": {"seconds": 0}},
    }


def variables(**more: str) -> Mapping[str, Any]:
    return {"environment": {**BACKEND["environment"], **more}}


@pytest.fixture(scope="module")
def stack(engine: docker.DockerClient, checkout: Checkout) -> Iterator[Deployed]:
    name = new_name("load")
    port = checkout.declare(name, settings({}, {}))
    with swept(engine, name):
        checkout.expect("up", name, "--no-verify")
        user = demo_account(engine, name, f"http://127.0.0.1:{port}")
        yield Deployed(checkout, engine, name, port, user)


def test_five_releases_in_a_row(stack: Deployed) -> None:
    releases = set()
    with stack.losing_nothing("five releases in a row, one replica"):
        with (stack.checkout.root / "app" / "medianest" / "__init__.py").open("a") as module:
            module.write("\n# another release\n")
        for change in (
            {},
            variables(CHANGE="a variable"),
            variables(WORKERS="3"),
            {"limits": {"memory_mb": 640, "pids": 200}},
            {"drain_seconds": 12},
        ):
            releases.add(stack.up(change)["release"])
    assert len(releases) == 5


@pytest.mark.parametrize("replicas", [3, 1])
def test_another_number_of_replicas(stack: Deployed, replicas: int) -> None:
    with stack.losing_nothing(f"{stack.replicas} replicas become {replicas}"):
        stack.up({"replicas": replicas})
    assert stack.replicas == replicas


def test_another_setting_of_the_gateway(stack: Deployed) -> None:
    gateways = [container.id for container in containers_of(stack.engine, stack.name, "gateway")]
    with stack.losing_nothing("a changed configuration of the gateway, taken over twice"):
        for limit in (10, 20):
            stack.up({}, {"body_limit_mb": limit})
    assert [container.id for container in containers_of(stack.engine, stack.name, "gateway")] == gateways
