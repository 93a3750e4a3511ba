"""A release that gets healthy and then serves badly is found out by its traffic, and taken back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest
import requests

from tests.harness.checkout import STAGING, Checkout, new_name, swept
from tests.harness.fault_results import measured
from tests.harness.load.load import steady_load
from tests.harness.load.plan import reads

BACKEND = STAGING["medianest:backend"]
# Told at once that they have no token.
STRANGERS = reads("/api/users/me", 20, good=(401,))
# Healthy by every check, and of no use to anybody.
WORTHLESS = """
import uvicorn

async def application(scope, receive, send):
    status = 200 if scope["path"].startswith("/api/health") else 500
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})

uvicorn.run(application, host="0.0.0.0", port=3000, lifespan="off", log_level="error")
"""


@pytest.fixture(scope="module")
def stack(engine: docker.DockerClient, checkout: Checkout) -> Iterator[tuple[str, int]]:
    name = new_name("watch")
    port = checkout.declare(name, settings({}))
    with swept(engine, name):
        checkout.expect("up", name, "--no-verify")
        yield name, port


def settings(changes: dict[str, Any]) -> dict[str, Any]:
    backend = {**BACKEND, "replicas": 1, **changes}
    return {**STAGING, "medianest:backend": backend, "medianest:deploy": {"watch": {"seconds": 8}}}


def test_a_good_release_is_watched_and_stays(checkout: Checkout, stack: tuple[str, int]) -> None:
    name, port = stack
    checkout.declare(name, settings({"environment": {**BACKEND["environment"], "CHANGE": "1"}}), port)
    with steady_load(f"http://127.0.0.1:{port}", STRANGERS) as load:
        time.sleep(3)
        report = checkout.expect("up", name, "--no-verify", "--json").document()
    assert report["watch"]["problem"] == ""
    assert report["watch"]["judged"] is True
    assert report["watch"]["after"]["requests"] > 50
    assert report["probe"]["failed"] == load.failed == 0


@pytest.mark.fault(
    "a release whose requests fail once it serves", "`up` goes back to the one before by itself"
)
def test_a_bad_release_is_rolled_back_by_itself(checkout: Checkout, stack: tuple[str, int]) -> None:
    name, port = stack
    url = f"http://127.0.0.1:{port}"
    good = checkout.expect("status", name, "--json").document()["release"]
    checkout.declare(name, settings({"command": ["python", "-c", WORTHLESS]}), port)
    with steady_load(url, STRANGERS):
        time.sleep(3)
        began = time.monotonic()
        run = checkout.medianest("up", name, "--no-verify", "--json")
        took = time.monotonic() - began
    assert run.code == 1
    assert "is worse than the one before: " in run.err
    assert f"is back at release {good}, and pinned to it" in run.err
    report = run.document()
    assert report["watch"]["problem"]
    measured(f"taken back {took:.1f} s after the command began")
    print(report["watch"], report["rollback"]["probe"])
    assert requests.get(f"{url}/api/users/me", timeout=5).status_code == 401
    assert checkout.expect("status", name, "--json").document()["release"] == good


def test_the_bad_release_is_on_record(checkout: Checkout, stack: tuple[str, int]) -> None:
    releases = checkout.expect("releases", stack[0], "--json").document()["releases"]
    bad = next(release for release in releases if release["verdict"] == "not verified")
    assert "of the requests fail" in bad["reason"]
    assert [release["pinned"] for release in releases if release["current"]] == [True]
