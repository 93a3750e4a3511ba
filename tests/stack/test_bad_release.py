"""Bad releases of every kind: what served before serves on, and the error says why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.harness.checkout import STAGING, Checkout, containers_of, new_name, of_stack, swept
from tests.harness.load.account import Account, demo_account

Break = Callable[[Path], Mapping[str, Any]]
# Seconds: how long the provider alone would wait for a container that has long since exited.
PROVIDERS_PATIENCE = 60
BACKEND = STAGING["medianest:backend"]


@dataclass(frozen=True)
class Deployed:
    """A stack that serves a good release."""

    checkout: Checkout
    engine: docker.DockerClient
    name: str
    port: int

    def user(self) -> Account:
        return demo_account(self.engine, self.name, f"http://127.0.0.1:{self.port}")

    @property
    def backends(self) -> set[str | None]:
        return {container.id for container in containers_of(self.engine, self.name, "backend")}

    def set(self, changes: Mapping[str, Any]) -> None:
        configuration = {**STAGING, "medianest:backend": {**BACKEND, "replicas": 1, **changes}}
        self.checkout.declare(self.name, configuration, self.port)


@pytest.fixture(scope="module")
def stack(engine: docker.DockerClient, checkout: Checkout) -> Iterator[Deployed]:
    name = new_name("bad")
    port = checkout.declare(name, STAGING)
    stack = Deployed(checkout, engine, name, port)
    stack.set({})
    with swept(engine, name):
        checkout.expect("up", name, "--no-verify")
        yield stack


def environment(**variables: str) -> Mapping[str, Any]:
    return {"environment": {**BACKEND["environment"], **variables}}


def exits_at_once(_root: Path) -> Mapping[str, Any]:
    return {"command": ["python", "-c", "raise SystemExit('nothing works')"]}


def never_healthy(_root: Path) -> Mapping[str, Any]:
    return {"command": ["sleep", "600"], "health": {"start_seconds": 6}}


def secret_is_missing(_root: Path) -> Mapping[str, Any]:
    return {**environment(JWT_SECRET_FILE="/run/secrets/no_such_file"), "health": {"start_seconds": 30}}


def migration_fails(root: Path) -> Mapping[str, Any]:
    (root / "app/medianest/migrations/9999_breaks.sql").write_text(
        "CREATE TABLE made_and_undone (); SELECT 1 / 0;\n"
    )
    return {}


def does_not_build(root: Path) -> Mapping[str, Any]:
    with (root / "app/Dockerfile").open("a") as dockerfile:
        dockerfile.write("FROM production AS broken\nRUN echo 'this is broken' >&2 && exit 3\n")
    return {"build": {"context": "app", "target": "broken"}}


@pytest.mark.parametrize(
    ("break_it", "times", "says"),
    [
        (exits_at_once, 2, ["exits as soon as it starts", "exit code 1", "nothing works"]),
        (never_healthy, 1, ["its health check: exit code 1", "serves on"]),
        (secret_is_missing, 1, ["secret jwt_secret is missing"]),
        (migration_fails, 1, ["exits as soon as it starts", "division by zero"]),
        (does_not_build, 1, ["`echo 'this is broken' >&2 && exit 3` with exit code 3", "this is broken"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
@pytest.mark.fault(
    "a release that exits, is never healthy, lacks a secret, fails its migration, does not build",
    "the update fails, what served serves on, no request fails",
)
def test_a_bad_release_hurts_nobody(stack: Deployed, break_it: Break, times: int, says: list[str]) -> None:
    root, before = stack.checkout.root, stack.backends
    kept = {path: path.read_bytes() for path in (root / "app").rglob("*") if path.is_file()}
    stack.set(break_it(root))
    try:
        with stack.user().losing_nothing(f"a bad release: {break_it.__name__}"):
            for _ in range(times):
                began = time.monotonic()
                run = stack.checkout.medianest("up", stack.name)
                assert run.code == 1, run.said
                assert time.monotonic() - began < PROVIDERS_PATIENCE
                for words in says:
                    assert words in run.err
                assert stack.backends == before
    finally:
        for path in set(root.joinpath("app").rglob("*.sql")) - set(kept):
            path.unlink()
        for path, content in kept.items():
            if path.read_bytes() != content:
                path.write_bytes(content)
        stack.set({})


@pytest.mark.fault("what bad releases have left", "the next good one removes it; no request fails")
def test_the_next_good_release_takes_over_and_nothing_is_left_of_the_bad_ones(stack: Deployed) -> None:
    before = stack.backends
    stack.set(environment(NOTHING="new"))
    with stack.user().losing_nothing("a good release after the bad ones"):
        stack.checkout.expect("up", stack.name, "--no-verify")
    assert len(stack.backends) == 1
    assert not stack.backends & before
    preview = stack.checkout.pulumi("preview", "--expect-no-changes", "--refresh", "-s", stack.name)
    assert preview.code == 0, preview.said
    stack.checkout.expect("down", stack.name, "--yes")
    assert of_stack(stack.engine, stack.name) == []
