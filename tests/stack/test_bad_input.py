"""Each way in which `up` can be given something bad: one clear message, a code, no damage, no secret."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from tests.harness.checkout import (
    MINIMAL,
    Checkout,
    Run,
    containers_of,
    free_port,
    new_name,
    of_stack,
    swept,
)
from tests.harness.disk import small_disk
from tests.harness.waiting import until

FAILED, USAGE, REFUSED, INTERRUPTED = 1, 2, 3, 130


def problem(run: Run) -> str:
    """The message of a command that failed: it is there, and it is no traceback."""
    assert "Traceback" not in run.said
    assert "error:" in run.err
    return run.err.split("error:", 1)[1]


@pytest.fixture
def name(engine: docker.DockerClient) -> Iterator[str]:
    stack = new_name("bad")
    with swept(engine, stack):
        yield stack


@pytest.fixture(scope="module")
def running(engine: docker.DockerClient, checkout: Checkout) -> Iterator[str]:
    """A stack that runs, for what must not harm it."""
    stack = new_name("good")
    checkout.declare(stack, MINIMAL)
    with swept(engine, stack):
        checkout.expect("up", stack, "--no-verify")
        yield stack


def serves(checkout: Checkout, stack: str) -> bool:
    port = re.search(r"port: (\d+)", checkout.settings_file(stack).read_text())
    assert port
    return requests.get(f"http://localhost:{port[1]}/api/health/ready", timeout=5).status_code == 200


def test_an_unknown_stack_is_answered_with_near_names(checkout: Checkout) -> None:
    run = checkout.medianest("up", "stagin")
    assert run.code == USAGE
    assert "stagin" in problem(run)
    assert "Did you mean staging?" in run.err


@pytest.mark.parametrize("name_given", ["../x", "a b", "UPPER", "x" * 60])
def test_a_stack_name_that_cannot_be_used_is_refused(checkout: Checkout, name_given: str) -> None:
    run = checkout.medianest("up", name_given)
    assert run.code == USAGE
    assert problem(run)


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ({"medianest:backend": {"replica": 2}}, ["backend.replica is not known"]),
        ({"medianest:backend": {"replicas": "two"}}, ["backend.replicas", "valid integer"]),
        ({"medianest:bakend": {}, "medianest:backend": {"port": 0}}, ["bakend is not known", "backend.port"]),
        ({"medianest:jwt_secret": "hunter2hunter2hunter2"}, ["jwt_secret is in plain text", "--secret"]),
    ],
)
def test_bad_settings_are_all_named_before_anything_is_made(
    checkout: Checkout,
    engine: docker.DockerClient,
    name: str,
    configuration: Mapping[str, Any],
    words: list[str],
) -> None:
    checkout.declare(name, configuration)
    run = checkout.medianest("up", name)
    assert run.code == USAGE
    for word in words:
        assert word in problem(run)
    assert "hunter2" not in run.said
    assert of_stack(engine, name) == []


def test_a_short_secret_is_refused_without_showing_it(
    checkout: Checkout, engine: docker.DockerClient, name: str
) -> None:
    checkout.declare(name, MINIMAL)
    created = checkout.pulumi("stack", "init", name)
    assert created.code == 0, created.said
    checkout.pulumi("config", "set", "--secret", "jwt_secret", "hunter2", "-s", name)
    run = checkout.medianest("up", name)
    assert run.code != 0
    assert "jwt_secret" in problem(run)
    assert "too short" in run.err
    assert "hunter2" not in run.said
    assert containers_of(engine, name, "backend") == []


def test_a_missing_secret_is_named_by_the_backend_that_needs_it(
    checkout: Checkout, engine: docker.DockerClient, name: str
) -> None:
    backend = {"secrets": {}, "health": {"start_seconds": 20}}
    checkout.declare(name, {**MINIMAL, "medianest:backend": backend})
    run = checkout.medianest("up", name, "--json")
    assert run.code == FAILED
    assert "jwt_secret" in run.said
    checkout.expect("down", name, "--yes")
    assert of_stack(engine, name) == []


def test_a_port_that_is_taken_is_refused_with_its_holder(
    checkout: Checkout, engine: docker.DockerClient, name: str
) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        checkout.declare(name, MINIMAL, port)
        run = checkout.medianest("up", name)
    assert run.code == REFUSED
    assert str(port) in problem(run)
    assert str(os.getpid()) in run.err
    assert of_stack(engine, name) == []


def test_an_engine_that_does_not_answer_is_named(checkout: Checkout, name: str) -> None:
    checkout.declare(name, MINIMAL)
    run = checkout.with_variables(DOCKER_HOST="unix:///nowhere/docker.sock").medianest("up", name)
    assert run.code != 0
    assert "/nowhere/docker.sock" in problem(run)


def test_a_wrong_passphrase_is_told(checkout: Checkout, running: str) -> None:
    run = checkout.with_variables(PULUMI_CONFIG_PASSPHRASE="hunter2").medianest("up", running)
    assert run.code != 0
    assert "passphrase" in problem(run)
    assert "hunter2" not in run.said
    assert serves(checkout, running)


def test_a_lost_state_with_live_volumes_is_refused(
    checkout: Checkout, engine: docker.DockerClient, running: str, tmp_path: Path
) -> None:
    before = sorted(of_stack(engine, running))
    stranger = Checkout(checkout.root, tmp_path)
    run = stranger.medianest("up", running)
    assert run.code == REFUSED
    assert running in problem(run)
    assert "volume" in run.err
    assert sorted(of_stack(engine, running)) == before
    assert serves(checkout, running)


def test_another_owners_stack_is_not_taken_down(
    checkout: Checkout, engine: docker.DockerClient, running: str, tmp_path: Path
) -> None:
    before = sorted(of_stack(engine, running))
    run = Checkout(checkout.root, tmp_path).medianest("down", running, "--yes")
    assert run.code != 0
    assert sorted(of_stack(engine, running)) == before


def test_plain_pulumi_refuses_another_owners_stack_too(
    checkout: Checkout, engine: docker.DockerClient, running: str, tmp_path: Path
) -> None:
    before = sorted(of_stack(engine, running))
    stranger = checkout.cloned(tmp_path / "clone")
    stranger = Checkout(stranger.root, tmp_path / "state")
    assert stranger.pulumi("stack", "init", running).code == 0
    run = stranger.pulumi("up", "--yes", "--skip-preview", "-s", running)
    assert run.code != 0
    assert "this state did not make it" in run.said
    assert sorted(of_stack(engine, running)) == before
    assert serves(checkout, running)


def test_a_broken_dockerfile_shows_its_step_and_harms_nothing(
    checkout: Checkout, running: str, tmp_path: Path
) -> None:
    clone = checkout.cloned(tmp_path / "clone")
    with (clone.root / "app" / "Dockerfile").open("a") as dockerfile:
        dockerfile.write("\nFROM production AS broken\nRUN echo before-the-fall && exit 42\n")
    settings = {**MINIMAL, "medianest:backend": {"build": {"target": "broken"}}}
    port = re.search(r"port: (\d+)", checkout.settings_file(running).read_text())
    assert port
    clone.declare(running, settings, int(port[1]))
    run = clone.medianest("up", running)
    assert run.code == FAILED
    assert "exit 42" in problem(run)
    assert "42" in run.err
    assert serves(checkout, running)


def test_a_build_without_a_network_is_told(checkout: Checkout, name: str, tmp_path: Path) -> None:
    clone = checkout.cloned(tmp_path / "clone")
    with (clone.root / "app" / "Dockerfile").open("a") as dockerfile:
        dockerfile.write(
            "\nFROM base AS offline\nRUN apt-get update -o Acquire::Retries=0 && apt-get install -y cowsay\n"
        )
    proxy = "http://127.0.0.1:9"
    build = {"target": "offline", "args": {"http_proxy": proxy, "https_proxy": proxy}}
    clone.declare(name, {**MINIMAL, "medianest:backend": {"build": build}})
    run = clone.medianest("up", name)
    assert run.code == FAILED
    assert "Could not connect to 127.0.0.1:9" in problem(run)
    clone.expect("down", name, "--yes")


def test_a_full_disk_is_told_before_anything_is_made(
    checkout: Checkout, engine: docker.DockerClient, name: str, tmp_path: Path
) -> None:
    checkout.declare(name, MINIMAL)
    with small_disk(tmp_path / "small", "64k") as small:
        (small / "filler").write_bytes(b"x" * 50_000)
        run = Checkout(checkout.root, small).medianest("up", name)
    assert run.code == REFUSED
    assert re.search(r"disk|space", problem(run))
    assert str(small) in run.err
    assert of_stack(engine, name) == []


def test_a_second_run_waits_for_nobody_and_says_who_is_at_work(
    checkout: Checkout, engine: docker.DockerClient, name: str
) -> None:
    checkout.declare(name, MINIMAL)
    first = checkout.start("./medianest", "up", name, "--no-verify")
    locks = checkout.state / "medianest/pulumi/.pulumi/locks/organization/medianest" / name
    until(lambda: locks.is_dir() and any(locks.iterdir()), "the first run holds the lock", 120)
    others = [checkout.medianest(*command) for command in (("up", name, "--no-verify"), ("backup", name))]
    out, err = first.communicate(timeout=200)
    for second in others:
        assert second.code == REFUSED, second.said
        assert f"stack {name} is being changed by another run" in problem(second)
        assert re.search(r"process \d+", problem(second))
    assert first.returncode == 0, out + err
    checkout.expect("up", name, "--no-verify")


@pytest.mark.parametrize("moment", ["postgres-data", "postgres", "backend-0"])
def test_an_interrupted_run_leaves_nothing_that_the_state_does_not_know(
    checkout: Checkout, engine: docker.DockerClient, name: str, moment: str
) -> None:
    checkout.declare(name, MINIMAL)
    process = checkout.start("./medianest", "up", name, "--no-verify")
    component = {"postgres-data": "volume", "postgres": "container", "backend-0": "container"}[moment]
    until(
        lambda: any(
            found.startswith(component) and f"-{moment}-" in found for found in of_stack(engine, name)
        ),
        f"{moment} is on the engine",
        120,
    )
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == INTERRUPTED, out + err
    assert "Traceback" not in out + err
    known = json.dumps(json.loads(checkout.pulumi("stack", "export", "-s", name).out))
    for found in of_stack(engine, name):
        kind, identity = found.split()
        if kind != "image":
            assert identity in known, found
    checkout.expect("up", name, "--no-verify")
    assert serves(checkout, name)
    checkout.expect("down", name, "--yes")
    assert of_stack(engine, name) == []


def test_two_stacks_side_by_side_do_not_touch_each_other(
    checkout: Checkout, engine: docker.DockerClient, running: str, name: str
) -> None:
    before = sorted(of_stack(engine, running))
    checkout.declare(name, MINIMAL, free_port())
    checkout.expect("up", name, "--no-verify")
    assert serves(checkout, name)
    assert serves(checkout, running)
    assert sorted(of_stack(engine, running)) == before
    checkout.expect("down", name, "--yes")
    assert of_stack(engine, name) == []
    assert sorted(of_stack(engine, running)) == before
    assert serves(checkout, running)
