"""Short stability checks on one deployed stack: what they say of a sound one, and of one that is not."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import docker
import pytest
import yaml
from docker.errors import NotFound
from docker.models.containers import Container

from tests.harness.checkout import (
    STAGING,
    Checkout,
    Run,
    containers_of,
    new_name,
    of_stack,
    swept,
)
from tests.harness.inside import secret
from tests.harness.waiting import until

FAILED, USAGE, REFUSED, INTERRUPTED = 1, 2, 3, 130
# The pool gives its connections back within minutes, which the check `memory` waits for.
RETURN_SECONDS = 600


@pytest.fixture(scope="module")
def name(engine: docker.DockerClient, checkout: Checkout) -> Iterator[str]:
    stack = new_name("soak")
    checkout.declare(stack, STAGING)
    with swept(engine, stack):
        checkout.expect("up", stack, "--no-verify")
        yield stack


def figure(run: Run, name: str) -> dict[str, Any]:
    """The first figure whose name begins so."""
    return next(found for found in run.document()["figures"] if found["name"].startswith(name))


@contextmanager
def own_checks(checkout: Checkout, name: str, checks: dict[str, list[str]]) -> Iterator[None]:
    """The stack's settings name these checks until the block ends."""
    settings = checkout.settings_file(name)
    before = settings.read_text()
    document = yaml.safe_load(before)
    document["config"]["medianest:verification"] = {"soak": checks}
    settings.write_text(yaml.safe_dump(document))
    try:
        yield
    finally:
        settings.write_text(before)


def wait_for_soak(engine: docker.DockerClient, name: str) -> Container:
    """The container of a soak, once it runs."""
    found: list[Container] = []

    def runs() -> bool:
        # What is listed may be gone before it is looked at.
        with suppress(NotFound):
            found[:] = [item for item in containers_of(engine, name, "soak") if item.status == "running"]
        return bool(found)

    until(runs, "a soak comes up")
    return found[0]


def test_logins_and_cached_reads_of_a_sound_stack_pass(
    checkout: Checkout, engine: docker.DockerClient, name: str
) -> None:
    run = checkout.expect("soak", "auth-cache", name, "--minutes", "0.2", "--json")
    document = run.document()
    assert (document["verdict"], document["reasons"], document["interrupted"]) == ("passed", [], False)
    assert figure(run, "logins that succeed")["value"] == 100
    assert figure(run, "cache hit ratio")["value"] >= 95
    assert figure(run, "logins")["ok"] is True
    assert figure(run, "reads")["value"] >= 99.9
    assert containers_of(engine, name, "soak") == []


def test_people_see_a_line_each_10_s_and_a_table(checkout: Checkout, name: str) -> None:
    run = checkout.expect("soak", "auth-cache", name, "--minutes", "0.2")
    assert re.search(r"^ +(9|1[0-9])\.[0-9] s +logins that succeed 100\.0 %, cache hit ratio ", run.err, re.M)
    assert re.search(r"cache hit ratio +[0-9.]+ % +at least 95 % +yes", run.out)
    assert f"Soak auth-cache of stack {name} passed." in run.out


def test_it_is_hardened_and_holds_no_secret_while_it_runs(
    checkout: Checkout, engine: docker.DockerClient, name: str
) -> None:
    process = checkout.start("./medianest", "soak", "auth-cache", name, "--minutes", "5", "--json")
    container = wait_for_soak(engine, name)
    (backend, *_) = containers_of(engine, name, "backend")
    host, config = container.attrs["HostConfig"], container.attrs["Config"]
    assert container.attrs["Image"] == backend.attrs["Image"]
    assert config["User"] == backend.attrs["Config"]["User"] == "1001"
    assert host["ReadonlyRootfs"] is True
    assert host["Init"] is True
    assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges:true"])
    assert host["Memory"] == host["MemorySwap"] > 0
    assert host["NanoCpus"] > 0
    assert host["PidsLimit"] > 0
    assert [(mount["Destination"], mount["RW"]) for mount in container.attrs["Mounts"]] == [
        ("/run/secrets", False)
    ]
    # It reaches the gateway, and neither Postgres nor Redis.
    (network,) = container.attrs["NetworkSettings"]["Networks"]
    assert "-public-" in network
    shown = json.dumps(container.attrs)
    for one in ("jwt_secret", "demo_password", "database_url", "redis_url"):
        password = secret(backend, one).split("@")[0].rsplit(":", 1)[-1]
        assert len(password) >= 16, one
        assert (password in shown, password in container.logs().decode()) == (False, False), one

    # What looks at the stack meanwhile is not misled, and a second one is refused.
    assert checkout.medianest("status", name).code == 0
    second = checkout.medianest("soak", "auth-cache", name, "--minutes", "0.1")
    assert (second.code, str(container.name) in second.err) == (REFUSED, True)

    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, out + err
    document = json.loads(out)
    assert (document["verdict"], document["interrupted"]) == ("passed", True)
    assert "interrupted" in err
    assert "Traceback" not in out + err
    assert containers_of(engine, name, "soak") == []


def test_a_second_interrupt_kills_a_check_that_does_not_stop(
    checkout: Checkout, engine: docker.DockerClient, name: str
) -> None:
    program = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(99)"
    with own_checks(checkout, name, {"stubborn": ["python", "-c", program]}):
        process = checkout.start("./medianest", "soak", "stubborn", name)
        container = wait_for_soak(engine, name)
        until(lambda: b"up" in container.logs(), "the check ignores SIGTERM")
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr is not None
        said = [process.stderr.readline(), process.stderr.readline()]
        assert said[1].startswith("Stopping: ")
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, err
    assert "it was killed before its verdict" in err
    assert containers_of(engine, name, "soak") == []


def test_a_dead_redis_fails_the_check_with_its_reason(
    checkout: Checkout, engine: docker.DockerClient, name: str
) -> None:
    (redis,) = containers_of(engine, name, "redis")

    def die() -> None:
        wait_for_soak(engine, name)
        redis.pause()

    dying = threading.Thread(target=die)
    dying.start()
    try:
        run = checkout.medianest("soak", "auth-cache", name, "--minutes", "0.2", "--json")
    finally:
        dying.join()
        redis.unpause()
    assert run.code == FAILED
    assert any(reason.startswith("cache hit ratio: ") for reason in run.document()["reasons"]), run.said
    assert "the goal is at least 95 %" in run.err


@pytest.mark.slow
def test_memory_and_connections_of_a_sound_stack_pass(checkout: Checkout, name: str) -> None:
    # Warm first: what a new process takes for itself is no leak.
    checkout.expect("soak", "auth-cache", name, "--minutes", "0.3")
    run = checkout.medianest("soak", "memory", name, "--minutes", "0.5", "--json", timeout=RETURN_SECONDS)
    assert run.code == 0, run.said
    growth = [found for found in run.document()["figures"] if found["name"].startswith("growth of ")]
    assert len(growth) == 2
    assert figure(run, "database connections")["value"] <= 4
    assert figure(run, "requests that succeed")["value"] >= 99.9
    assert figure(run, "uploads")["value"] > 0


def test_uploaded_pictures_are_done_once_and_no_worker_ends(checkout: Checkout, name: str) -> None:
    run = checkout.medianest("soak", "workers", name, "--minutes", "0.3", "--json")
    assert run.code == 0, run.said
    assert figure(run, "jobs that are done")["value"] == 100
    assert figure(run, "jobs lost or doubled")["value"] == 0
    assert figure(run, "workers that ended")["value"] == 0
    assert figure(run, "pictures accepted")["value"] >= 10


def test_a_check_that_is_no_command_of_the_image_says_so(
    checkout: Checkout, engine: docker.DockerClient, name: str
) -> None:
    with own_checks(checkout, name, {"absent": ["no-such-program"], "mute": ["echo", "hello"]}):
        absent = checkout.medianest("soak", "absent", name)
        mute = checkout.medianest("soak", "mute", name)
        unknown = checkout.medianest("soak", "memory", name)
    assert absent.code == FAILED
    assert "no-such-program" in absent.err
    assert mute.code == FAILED
    assert "it ended without a verdict (exit code 0)" in mute.err
    assert "    hello" in mute.err
    assert unknown.code == USAGE
    assert "absent, mute" in unknown.err
    assert containers_of(engine, name, "soak") == []


def test_a_stack_with_a_soak_under_way_goes_down(
    checkout: Checkout, engine: docker.DockerClient, name: str
) -> None:
    process = checkout.start("./medianest", "soak", "auth-cache", name, "--minutes", "5")
    wait_for_soak(engine, name)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    checkout.expect("down", name, "--yes")
    assert of_stack(engine, name) == []
    run = checkout.medianest("soak", "auth-cache", name)
    assert run.code == REFUSED
    assert f"./medianest up {name}" in run.err
