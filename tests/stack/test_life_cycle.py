"""One stack from nothing to nothing: each test goes on where the one before it ended."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import requests
from docker.models.containers import Container

from ops.restart_loops import RESTARTS
from tests.harness.checkout import (
    STAGING,
    Checkout,
    containers_of,
    new_name,
    of_stack,
    swept,
)
from tests.harness.documents import ROOT, commands
from tests.harness.inside import secret
from tests.harness.load.account import demo_account
from tests.harness.waiting import until

GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
LOOKING = ("status", "logs", "releases", "drift", "preview")


@pytest.fixture(scope="module")
def name(engine: docker.DockerClient, checkout: Checkout) -> Iterator[str]:
    stack = new_name("cycle")
    checkout.declare(stack, STAGING)
    with swept(engine, stack):
        yield stack


@pytest.fixture(scope="module")
def url(checkout: Checkout, name: str) -> str:
    port = checkout.settings_file(name).read_text().split("port: ")[1].split()[0]
    return f"http://localhost:{port}"


def test_up_ends_with_a_verified_stack(checkout: Checkout, name: str, url: str) -> None:
    report = checkout.expect("up", name, "--json").document()
    assert report["url"] == url
    assert report["verification"]["passed"] is True
    assert len(report["verification"]["checks"]) > 30
    assert {verdict["outcome"] for verdict in report["verification"]["checks"]} == {"passed"}
    assert report["changes"]["create"] > 30
    assert report["image_bytes"] < 180_000_000
    assert len(report["start_to_healthy_seconds"]) == 2
    assert report["memory_bytes"]["total"] > 0


def test_it_answers_where_it_says(name: str, url: str) -> None:
    document = requests.get(f"{url}/api/health", timeout=5).json()
    assert document["status"] == "healthy"
    assert document["services"]["secrets"] == "validated"


def test_a_second_up_changes_nothing(checkout: Checkout, name: str) -> None:
    before = checkout.settings_file(name).read_text()
    report = checkout.expect("up", name, "--json").document()
    assert {kind: count for kind, count in report["changes"].items() if count} == {
        "same": report["changes"]["same"]
    }
    assert "verification" not in report
    assert checkout.settings_file(name).read_text() == before


def test_a_preview_of_plain_pulumi_shows_no_change(checkout: Checkout, name: str) -> None:
    for extra in ((), ("--refresh",)):
        preview = checkout.pulumi("preview", "--diff", "--expect-no-changes", "-s", name, *extra)
        assert preview.code == 0, preview.said
        assert "unchanged" in preview.out
        assert "warning" not in preview.said


def test_a_second_clone_sees_the_same_stack(checkout: Checkout, name: str, tmp_path: Path) -> None:
    clone = checkout.cloned(tmp_path / "elsewhere")
    preview = clone.pulumi("preview", "--expect-no-changes", "-s", name)
    assert preview.code == 0, preview.said


def test_no_secret_shows_in_a_preview_or_a_state(
    checkout: Checkout, engine: docker.DockerClient, name: str
) -> None:
    exported = checkout.pulumi("stack", "export", "-s", name).out
    shown = checkout.pulumi("preview", "--diff", "--refresh", "--json", "-s", name).out
    (backend, *_) = containers_of(engine, name, "backend")
    for one in ("jwt_secret", "demo_password", "database_url", "redis_url"):
        password = secret(backend, one).split("@")[0].rsplit(":", 1)[-1]
        assert len(password) >= 16, one
        assert password not in exported, one
        assert password not in shown, one
    assert json.loads(exported)["deployment"]["resources"]


def test_the_watch_shows_what_the_engine_tells_of_a_stack_that_is_not_watched(
    checkout: Checkout, name: str
) -> None:
    document = checkout.expect("watch", name, "--once", "--json").document()
    assert (document["watched"], document["verdict"]["word"]) == (False, "well")
    assert {item["component"] for item in document["containers"]} == {
        "gateway",
        "backend",
        "postgres",
        "redis",
    }
    assert all(item["memory"] for item in document["containers"])
    refused = checkout.medianest("dashboard", name)
    assert refused.code == 1
    assert "publishes no dashboard" in refused.err


def test_status_and_list_tell_that_it_is_well(checkout: Checkout, name: str) -> None:
    status = checkout.expect("status", name, "--json").document()
    assert name in json.dumps(status)
    assert name in checkout.expect("list", "--json").out


def test_logs_are_of_the_component_that_is_asked_for(checkout: Checkout, name: str) -> None:
    said = checkout.expect("logs", name, "backend").out
    assert "Secrets validation completed successfully" in said
    assert "database system is ready" not in said


def test_what_the_guides_show_runs_on_it(checkout: Checkout, name: str) -> None:
    """Those of their commands that only look; what the others do is what other tests are about."""
    shown = {
        tuple(name if word == "staging" else word for word in command.words)
        for guide in GUIDES
        for command in commands(guide)
        if command.whole and " ".join(command.words).startswith(LOOKING)
    }
    assert {" ".join(words[:size]) for words in shown for size in (1, 2)} >= set(LOOKING)
    for words in sorted(shown):
        checkout.expect(*words)


@pytest.mark.parametrize("component", ["backend", "redis", "gateway"])
def test_a_stopped_container_is_seen_and_mended(
    checkout: Checkout, engine: docker.DockerClient, name: str, url: str, component: str
) -> None:
    containers_of(engine, name, component)[0].stop(timeout=5)
    drifted = checkout.pulumi("preview", "--refresh", "--expect-no-changes", "-s", name)
    assert drifted.code != 0
    checkout.expect("up", name, "--no-verify")
    assert all(found.attrs["State"]["Health"]["Status"] == "healthy" for found in alive(engine, name))
    assert requests.get(f"{url}/api/health", timeout=5).json()["status"] == "healthy"


@pytest.mark.parametrize("component", ["backend", "postgres"])
def test_a_removed_container_is_seen_and_made_anew(
    checkout: Checkout, engine: docker.DockerClient, name: str, url: str, component: str
) -> None:
    containers_of(engine, name, component)[0].remove(force=True)
    drifted = checkout.pulumi("preview", "--refresh", "--expect-no-changes", "-s", name)
    assert drifted.code != 0
    checkout.expect("up", name, "--no-verify")
    assert all(found.attrs["State"]["Health"]["Status"] == "healthy" for found in alive(engine, name))
    assert requests.get(f"{url}/api/health", timeout=5).json()["status"] == "healthy"


def test_a_changed_file_is_a_new_release_that_drops_no_request(
    checkout: Checkout, engine: docker.DockerClient, name: str, url: str
) -> None:
    before = checkout.expect("status", name, "--json").document()
    (postgres,) = containers_of(engine, name, "postgres")
    with (checkout.root / "app" / "medianest" / "__init__.py").open("a") as module:
        module.write("\n# another release\n")
    with demo_account(engine, name, url).losing_nothing("a new release, two replicas"):
        report = checkout.expect("up", name, "--no-verify", "--json").document()
    assert report["release"] != before["release"]
    # Not under load: checks have times to keep.
    checkout.expect("verify", name)
    (still,) = containers_of(engine, name, "postgres")
    assert still.id == postgres.id
    assert len(containers_of(engine, name, "backend")) == 2


def test_a_restart_loop_is_told(checkout: Checkout, engine: docker.DockerClient, name: str) -> None:
    (redis,) = containers_of(engine, name, "redis")
    for _ in range(RESTARTS):
        crash(redis)
    status = checkout.medianest("status", name)
    verified = checkout.medianest("verify", name, "--json")
    deployed = checkout.medianest("up", name, "--no-verify")
    assert (status.code, verified.code, deployed.code) == (1, 4, 4)
    (check,) = (item for item in verified.document()["checks"] if "restart loop" in item["check"])
    assert check["outcome"] == "failed"
    for told in (status.out, check["reason"], deployed.err):
        assert f"{redis.name} is in a restart loop: restarted {RESTARTS} times" in told
        # That of its last exit, unless other containers' events have pushed it out of the engine's memory.
        assert "exit code 137" in told or "exit code that the engine forgot" in told
    # The end of its log.
    assert "Ready to accept connections" in deployed.err


def test_down_leaves_nothing(checkout: Checkout, engine: docker.DockerClient, name: str) -> None:
    checkout.expect("down", name, "--yes")
    assert of_stack(engine, name) == []
    assert name not in checkout.pulumi("stack", "ls").out


def test_a_second_down_says_that_there_is_nothing(checkout: Checkout, name: str) -> None:
    assert "nothing" in checkout.medianest("down", name, "--yes").said.lower()


def crash(container: Container) -> None:
    """Kill its processes from outside, which the engine takes for a crash, and wait for its restart."""
    container.reload()
    before = container.attrs["RestartCount"]
    os.kill(container.attrs["State"]["Pid"], signal.SIGKILL)

    def restarted() -> bool:
        container.reload()
        return bool(container.attrs["RestartCount"] > before and container.status == "running")

    until(restarted, "the engine restarts it", 60)


def alive(engine: docker.DockerClient, name: str) -> list[Container]:
    """The containers that are to run, fresh from the engine."""
    return [
        container
        for component in ("gateway", "backend", "postgres", "redis")
        for container in containers_of(engine, name, component)
    ]
