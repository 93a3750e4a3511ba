"""Secrets are files that one user can read, and are nowhere else. No value is ever in a message."""

from __future__ import annotations

import json

from tests.harness.deployed_stack import WATCHING, DeployedStack
from tests.harness.leaks import leaked

OWNERS = {"postgres": 999, "redis": 999, **{name: int(user) for name, user in WATCHING.items()}}
# They are given no secret.
WITHOUT = ("gateway", "prometheus", "node-exporter", "engine-proxy")


def _leaked(stack: DeployedStack, text: str) -> set[str]:
    """The names of the secrets whose values are in a text."""
    return leaked(stack.secrets, text)


def test_each_consumer_has_its_files(stack: DeployedStack) -> None:
    names = set(stack.secrets)
    assert {"postgres:postgres_password", "redis:users.acl"} <= names
    for secret in ("database_url", "redis_url", *stack.settings.backend.secrets):
        assert f"backend:{secret}" in names
    if stack.watched:
        assert {
            "alertmanager:guardian_token",
            "backend:guardian_token",
            "guardian:guardian_token",
            *(["guardian:dashboard_password"] if stack.settings.guardian.dashboard else []),
            "postgres-exporter:password",
            "redis-exporter:password",
        } <= names
    assert not any(name.split(":")[0] in WITHOUT for name in names)


def test_secret_files_belong_to_their_reader_alone(stack: DeployedStack) -> None:
    owners = OWNERS | {"backend": int(stack.settings.backend.user)}
    for running in stack.containers:
        if running.component in WITHOUT:
            continue
        for name, (entry, _) in running.secret_files.items():
            assert entry.uid == owners[running.component], (running.name, name)
            assert entry.mode & 0o777 == 0o400, (running.name, name)


def test_secrets_are_mounted_read_only(stack: DeployedStack) -> None:
    for running in stack.containers:
        for mount in running.inspected["Mounts"]:
            if mount["Destination"] == "/run/secrets":
                assert mount["RW"] is False, running.name


def test_generated_secrets_are_long(stack: DeployedStack) -> None:
    short = {name for name, value in stack.secrets.items() if len(value) < 16}
    assert short == set()


def test_no_secret_shows_in_inspect(stack: DeployedStack) -> None:
    for container in [*(running.container for running in stack.containers), *stack.loaders]:
        assert _leaked(stack, json.dumps(container.attrs)) == set(), container.name


def test_no_secret_shows_in_an_environment_or_an_argument(stack: DeployedStack) -> None:
    for running in stack.containers:
        processes = running.processes
        assert processes, running.name
        for process in processes:
            seen = process.environment + process.arguments
            assert _leaked(stack, seen) == set(), (running.name, process.pid)


def test_no_secret_shows_in_logs(stack: DeployedStack) -> None:
    for running in stack.containers:
        text = running.container.logs().decode(errors="replace")
        assert _leaked(stack, text) == set(), running.name


def test_no_secret_is_in_an_image(stack: DeployedStack) -> None:
    for running in stack.containers:
        image = stack.engine.images.get(running.inspected["Image"])
        assert _leaked(stack, json.dumps([image.history(), image.attrs])) == set(), running.name


def test_no_secret_is_on_a_volume_or_a_network(stack: DeployedStack) -> None:
    wanted: dict[str, str | list[str] | bool] = {"label": stack.label_filter}
    described = [
        *(volume.attrs for volume in stack.engine.volumes.list(filters=wanted)),
        *(network.attrs for network in stack.engine.networks.list(filters=wanted)),
    ]
    assert len(described) >= 8
    assert _leaked(stack, json.dumps(described)) == set()
