"""One environment from nothing to nothing: each test goes on where the one before it ended."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from components import labels
from ops.env.ports import choose
from tests.harness.checkout import Checkout, containers_of, new_name, of_stack, swept
from tests.harness.environments import expire, lease_labels, together, traces
from tests.harness.inside import output_of

REFUSED, USAGE = 3, 2
FIRST_PORT, LAST_PORT = 4000, 4999
# The goals are 20, 5 and 10 s on a quiet machine; this one may be three times slower, and busy.
VERIFIED_SECONDS, WAKING_SECONDS, DOWN_SECONDS = 120, 30, 60


@pytest.fixture(scope="module")
def name(engine: docker.DockerClient, checkout: Checkout) -> Iterator[str]:
    subprocess.run(["git", "init", "--quiet", str(checkout.root)], check=True)
    environment = new_name("env")
    with swept(engine, environment):
        yield environment


@pytest.fixture(scope="module")
def report(checkout: Checkout, engine: docker.DockerClient, name: str) -> dict[str, Any]:
    """Of the `env up` that makes it, while a stranger listens where it would."""
    held = {
        int(item.attrs["Labels"].get(labels.PORT, 0))
        for item in engine.volumes.list()
        if item.attrs["Labels"]
    }
    port = choose(f"medianest/{name}", FIRST_PORT, LAST_PORT, held, lambda _: True)
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        made = checkout.expect("env", "up", name, "--pr", "17", "--json").document()
    assert made["environment"]["url"] != f"http://localhost:{port}"
    return made


def test_it_is_made_verified_and_filled(
    checkout: Checkout, engine: docker.DockerClient, name: str, report: dict[str, Any]
) -> None:
    assert report["verification"]["passed"] is True
    assert report["phases"]["total"] < VERIFIED_SECONDS
    assert report["environment"]["base"] == "staging"
    assert "3 users with 3 pictures each" in report["data"]["said"]
    assert len(containers_of(engine, name, "backend")) == 1
    url = report["environment"]["url"]
    (backend,) = containers_of(engine, name, "backend")
    password = output_of(backend, "cat", "/run/secrets/demo_password")
    login = {"username": "ada", "password": password}
    token = requests.post(f"{url}/api/auth/login", json=login, timeout=10).json()["access_token"]
    media = requests.get(f"{url}/api/media", headers={"Authorization": f"Bearer {token}"}, timeout=10).json()
    assert len(media["items"]) == 3


def test_its_lease_says_what_it_is(
    engine: docker.DockerClient, checkout: Checkout, name: str, report: dict[str, Any]
) -> None:
    lease = lease_labels(engine, name)
    assert lease[labels.EXPIRES] == report["environment"]["expires"]
    assert lease[labels.PORT] == report["environment"]["url"].rsplit(":", 1)[1]
    assert (lease[labels.BASE], lease[labels.PULL_REQUEST]) == ("staging", "17")
    assert lease[labels.HOME].endswith(f":{checkout.state}/medianest/pulumi")


def test_idle_memory_is_small(report: dict[str, Any]) -> None:
    assert report["memory_bytes"]["total"] < 220_000_000


def test_git_does_not_see_its_settings(checkout: Checkout, name: str, report: dict[str, Any]) -> None:
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=checkout.root, capture_output=True, text=True, check=True
    )
    assert name not in status.stdout
    assert checkout.settings_file(name).exists()


def test_the_list_tells_of_it(checkout: Checkout, name: str, report: dict[str, Any]) -> None:
    listed = checkout.expect("env", "list", "--json").document()["environments"]
    (row,) = [row for row in listed if row["name"] == name]
    assert (row["state"], row["pull_request"], row["url"]) == ("running", 17, report["environment"]["url"])
    assert 0 < row["expires_in_seconds"] <= 24 * 3600
    assert 0 < row["memory_bytes"] < 220_000_000
    assert row["idle_since"]


def test_plain_pulumi_works_on_it(checkout: Checkout, name: str, report: dict[str, Any]) -> None:
    before = checkout.settings_file(name).read_text()
    preview = checkout.pulumi("preview", "--expect-no-changes", "-s", name)
    assert preview.code == 0, preview.said
    # Pulumi's own: it puts its salt into the file.
    checkout.settings_file(name).write_text(before)


def test_extending_replaces_the_lease_and_nothing_else(
    checkout: Checkout, engine: docker.DockerClient, name: str, report: dict[str, Any]
) -> None:
    def others() -> set[str]:
        return {item for item in of_stack(engine, name) if "-lease-" not in item}

    before, first = others(), lease_labels(engine, name)
    # From a clone that does not have the file either.
    checkout.settings_file(name).rename(checkout.root / "aside")
    changes = checkout.expect("env", "extend", name, "--ttl", "48h", "--json").document()["changes"]
    assert {kind: count for kind, count in changes.items() if count} == {
        "replace": 1,
        "same": changes["same"],
    }
    assert changes["same"] > 40
    assert others() == before
    second = lease_labels(engine, name)
    assert second[labels.EXPIRES] > first[labels.EXPIRES]
    assert {**second, labels.EXPIRES: ""} == {**first, labels.EXPIRES: ""}
    (checkout.root / "aside").unlink()
    # So that what comes has nothing to deploy.
    again = checkout.expect("env", "up", name, "--json")
    assert again.document()["changes"]["create"] == 0
    assert "interrupts anything" not in again.err


def test_a_second_run_beside_another_is_refused(
    checkout: Checkout, name: str, report: dict[str, Any]
) -> None:
    one, other = together(checkout, [["env", "extend", name]] * 2, timeout=120)
    assert sorted([one.code, other.code]) == [0, REFUSED]
    assert "another run" in one.said + other.said


def test_what_nobody_asks_is_stopped_and_stays_so(
    checkout: Checkout, engine: docker.DockerClient, name: str, report: dict[str, Any]
) -> None:
    url = report["environment"]["url"]
    requests.get(f"{url}/", timeout=5)
    assert "kept" in checkout.expect("env", "reap", "--idle", "1m").out
    time.sleep(61)
    # Probes are no requests.
    requests.get(f"{url}/api/health/ready", timeout=5)
    deeds = checkout.expect("env", "reap", "--idle", "1m", "--json").document()["environments"]
    (deed,) = [deed for deed in deeds if deed["environment"] == name]
    assert (deed["action"], deed["done"]) == ("stop", True)
    for component in ("gateway", "backend", "redis", "postgres"):
        (container,) = containers_of(engine, name, component)
        assert container.status == "exited"
        assert container.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    listed = checkout.expect("env", "list", "--json").document()["environments"]
    assert [row["state"] for row in listed if row["name"] == name] == ["stopped"]


def test_it_wakes_with_its_data_and_without_a_release(
    checkout: Checkout, engine: docker.DockerClient, name: str, report: dict[str, Any]
) -> None:
    before = set(of_stack(engine, name))
    woken = checkout.expect("env", "up", name, "--json").document()
    assert woken["phases"]["wake"] < WAKING_SECONDS
    assert woken["release"] == report["release"]
    assert woken["environment"]["url"] == report["environment"]["url"]
    assert {kind for kind, count in woken["changes"].items() if count} == {"same"}
    assert set(of_stack(engine, name)) == before
    assert requests.get(f"{woken['url']}/api/health", timeout=5).json()["status"] == "healthy"
    (postgres,) = containers_of(engine, name, "postgres")
    assert output_of(postgres, "psql", "-U", "medianest", "-Atc", "SELECT count(*) FROM media") == "9"


def test_another_state_tells_of_it_and_leaves_it_alone(
    checkout: Checkout, engine: docker.DockerClient, name: str, report: dict[str, Any], tmp_path: Path
) -> None:
    expire(checkout, name)
    stranger = Checkout(checkout.cloned(tmp_path / "clone").root, tmp_path / "state")
    before = set(of_stack(engine, name))
    document = stranger.expect("env", "reap", "--json").document()
    assert any(name in problem and "another state" in problem for problem in document["problems"])
    assert stranger.medianest("env", "down", name).code == REFUSED
    assert set(of_stack(engine, name)) == before


def test_two_reapers_at_once_leave_nothing_of_what_has_expired(
    checkout: Checkout, engine: docker.DockerClient, name: str, report: dict[str, Any]
) -> None:
    assert "would be removed" in checkout.expect("env", "reap", "--dry-run").out
    assert of_stack(engine, name)
    assert len(traces(checkout, engine, name)) > 20
    began = time.monotonic()
    runs = together(checkout, [["env", "reap", "--json"]] * 2, timeout=180)
    took = time.monotonic() - began
    assert any(run.code == 0 for run in runs), [run.said for run in runs]
    assert all(run.code == 0 or "another run" in run.said for run in runs)
    assert traces(checkout, engine, name) == []
    assert took < DOWN_SECONDS


def test_images_that_stacks_share_stay(engine: docker.DockerClient, report: dict[str, Any]) -> None:
    shared = {tag for image in engine.images.list() for tag in image.tags}
    assert {tag.split(":")[0] for tag in shared} >= {f"medianest/{name}" for name in ("postgres", "redis")}


def test_what_is_gone_can_be_asked_for(checkout: Checkout, name: str, report: dict[str, Any]) -> None:
    assert "nothing" in checkout.expect("env", "down", name).said
    assert checkout.medianest("env", "extend", name).code == USAGE
