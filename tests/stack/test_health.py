"""The commands health, report and doctor on a watched stack: when it is well, and when it is not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import docker
import pytest
import requests
import yaml

from tests.harness.checkout import STAGING, Checkout, Run, containers_of, new_name, of_stack, swept
from tests.harness.waiting import until

SETTINGS: dict[str, Any] = {
    **STAGING,
    "medianest:backend": {**STAGING["medianest:backend"], "replicas": 1},
    "medianest:monitoring": {"enabled": True, "scrape_seconds": 1.0},
    "medianest:verification": {"paths": [], "soak": {}},
    "medianest:deploy": {"watch": {"seconds": 0}},
}
FIVE = ["start-up and secrets", "image build", "Redis and tokens", "memory", "workers"]
# On a machine that is three times slower than one that has nothing else to do.
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Stack:
    """The stack under test."""

    name: str
    url: str
    checkout: Checkout
    engine: docker.DockerClient

    def health(self, *options: str) -> tuple[Run, dict[str, dict[str, Any]]]:
        """How the command ended, and each check by its name."""
        run = self.checkout.medianest("health", self.name, "--json", *options)
        checks = run.document()["checks"]
        assert [check["name"] for check in checks] == FIVE
        assert run.document()["healthy"] is (run.code == 0)
        return run, {check["name"]: check for check in checks}

    def change(self, **verification: Any) -> None:
        """Write other settings for `health` into the file: nothing is deployed."""
        file = self.checkout.settings_file(self.name)
        document = yaml.safe_load(file.read_text())
        document["config"]["medianest:verification"] |= verification
        file.write_text(yaml.safe_dump(document))

    def report(self, kind: str, *options: str) -> Run:
        return self.checkout.medianest("report", kind, self.name, *options)


@pytest.fixture(scope="module")
def stack(checkout: Checkout, engine: docker.DockerClient) -> Iterator[Stack]:
    name = new_name("health")
    with swept(engine, name):
        port = checkout.declare(name, SETTINGS)
        checkout.expect("up", name, "--yes", "--no-verify", timeout=600)
        yield Stack(name, f"http://127.0.0.1:{port}", checkout, engine)


@pytest.fixture(scope="module")
def traffic(stack: Stack) -> None:
    """Requests that leave traces in the figures: of the cache, and slow ones among them."""
    (backend,) = containers_of(stack.engine, stack.name, "backend")
    password = cast("bytes", backend.exec_run(["cat", "/run/secrets/demo_password"]).output).decode()
    with requests.Session() as session:
        answer = session.post(
            f"{stack.url}/api/auth/login", json={"username": "demo", "password": password}, timeout=10
        )
        token = answer.json()["access_token"]
        began = time.monotonic()
        # Over several readings: an increase is seen between two of them.
        while time.monotonic() - began < 5:
            headers = {"Authorization": f"Bearer {token}"}
            session.get(f"{stack.url}/api/users/me", headers=headers, timeout=10).raise_for_status()
            time.sleep(0.02)


def test_a_stack_that_is_well(stack: Stack) -> None:
    run, checks = stack.health()
    assert run.code == 0, checks
    assert {check["level"] for check in checks.values()} == {"ok"}
    build = checks["image build"]
    assert build["value"] > 0
    assert build["figure"].endswith("on record")
    assert checks["memory"]["value"] > 10_000_000
    assert checks["workers"]["figure"] == "2 of 2 healthy, 0 failed within an hour"
    people = stack.checkout.expect("health", stack.name)
    assert "healthy: 5 ok" in people.out
    assert all(name in people.out for name in FIVE)


def test_a_build_that_took_longer_than_the_settings_allow(stack: Stack) -> None:
    stack.change(build_seconds=0.01)
    try:
        run, checks = stack.health()
        assert run.code == 1
        assert checks["image build"]["level"] == "critical"
        assert "--build" in checks["image build"]["next_step"]
        assert {name for name, check in checks.items() if not check["holds"]} == {"image build"}
    finally:
        stack.change(build_seconds=180)


def test_a_token_check_that_the_backend_does_not_have(stack: Stack) -> None:
    stack.change(token_check="/api/nothing")
    try:
        run, checks = stack.health()
        assert (run.code, checks["Redis and tokens"]["level"]) == (1, "critical")
        assert "/api/nothing answered 404" in checks["Redis and tokens"]["evidence"][0]
        stack.change(token_check=None)
        assert stack.health()[0].code == 0
    finally:
        stack.change(token_check="/api/auth/test-jwt")


def test_a_paused_redis_is_found_and_reported(stack: Stack) -> None:
    (redis,) = containers_of(stack.engine, stack.name, "redis")
    redis.pause()
    try:
        run, checks = stack.health()
        assert (run.code, checks["Redis and tokens"]["level"]) == (1, "critical")
        assert checks["Redis and tokens"]["evidence"][0].startswith("Redis does not answer PING")
        people = stack.checkout.medianest("health", stack.name)
        assert people.code == 1
        assert "Redis and tokens: critical" in people.out
        until(lambda: stack.report("health", "--json").code == 1, "the guardian sees it", PATIENCE_SECONDS)
        reported = stack.report("health")
        assert reported.code == 1
        assert f"{redis.name} is paused" in reported.out.replace("\n", " ")
    finally:
        redis.unpause()
    until(lambda: stack.report("health", "--json").code == 0, "all is well again", PATIENCE_SECONDS)
    spells = stack.report("health", "--history", "--json").document()["reports"]
    assert {report["healthy"] for report in spells} == {True, False}
    (guardian,) = containers_of(stack.engine, stack.name, "guardian")
    assert '"level": "critical"' in guardian.logs().decode()


def test_reports_are_made_and_kept(stack: Stack) -> None:
    until(
        lambda: stack.report("memory", "--json").document()["total_bytes"] > 100_000_000,
        "everything is measured",
        PATIENCE_SECONDS,
    )
    made = {kind: stack.report(kind, "--json").document() for kind in ("memory", "workers")}
    (replica,) = made["workers"]["replicas"].values()
    assert replica["medianest_workers"]["healthy"] == 2
    for kind, report in made.items():
        kept = stack.report(kind, "--history", "--json").document()["reports"]
        assert {**kept[-1], "stack": stack.name} == report
    assert "backend" in stack.checkout.expect("report", "memory", stack.name).out
    assert "reports since" in stack.checkout.expect("report", "workers", stack.name, "--history").out


def test_the_history_is_there_when_the_guardian_is_not(stack: Stack) -> None:
    (guardian,) = containers_of(stack.engine, stack.name, "guardian")
    guardian.stop(timeout=5)
    try:
        assert stack.report("memory", "--history", "--json").document()["reports"]
        run = stack.report("memory")
        assert run.code == 1
        assert "does not run, or is paused" in run.err
    finally:
        guardian.start()


def test_the_performance_with_plots(stack: Stack, traffic: None, tmp_path: Path) -> None:
    run = stack.checkout.expect(
        "report", "performance", stack.name, "--since", "10m", "--out", str(tmp_path), "--json"
    )
    report = run.document()
    trends = {trend["question"]["key"]: trend for trend in report["trends"]}
    assert {"traffic", "latency", "errors", "memory", "cache", "workers"} <= trends.keys(), report["missing"]
    assert {line["name"] for line in trends["latency"]["lines"]} == {"p50", "p95", "p99"}
    assert max(value for _, value in trends["cache"]["lines"][0]["points"]) > 85
    routes = {(route["method"], route["route"]): route for route in report["routes"]}
    assert routes["GET", "/api/users/me"]["requests"] > 50
    assert any("users" in statement["text"] for statement in report["statements"])
    assert [mark["succeeded"] for mark in report["deploys"]] == [True]
    assert report["missing"] == []
    written = Path(report["written"])
    text = written.read_text()
    for key in trends:
        assert f"({key}.svg)" in text
        ElementTree.parse(written.parent / f"{key}.svg")
    assert json.loads((written.parent / "report.json").read_text())["stack"] == stack.name
    markdown = stack.checkout.expect(
        "report", "performance", stack.name, "--since", "10m", "--format", "markdown"
    )
    assert markdown.out.startswith(f"# Performance of stack {stack.name}\n")
    assert "| `GET /api/users/me` |" in markdown.out


def test_this_machine_is_fit(stack: Stack) -> None:
    run = stack.checkout.medianest("doctor", "--json")
    checks = {check["name"]: check for check in run.document()["checks"]}
    # Other ports of this machine are not this test's concern.
    assert {name for name, check in checks.items() if not check["holds"]} <= {"ports"}, run.out
    assert checks["passphrase"]["figure"] == "its file, mode 0600"


# The last one: nothing of the stack runs then.
def test_a_stack_that_was_stopped(stack: Stack) -> None:
    for component in ("guardian", "gateway", "backend", "redis", "prometheus"):
        for container in containers_of(stack.engine, stack.name, component):
            container.stop(timeout=2)
    run, checks = stack.health()
    assert run.code == 1
    assert checks["start-up and secrets"]["level"] == "critical"
    assert checks["start-up and secrets"]["next_step"] == f"./medianest up {stack.name}", checks
    assert (checks["memory"]["level"], checks["workers"]["level"]) == ("unknown", "unknown")
    assert checks["image build"]["level"] == "ok"
    performance = stack.report("performance")
    assert performance.code == 1
    assert "Traceback" not in performance.said


def test_a_stack_that_is_not_there(checkout: Checkout) -> None:
    for command in (
        ["health", "nothing"],
        ["report", "memory", "nothing"],
        ["report", "performance", "nothing"],
    ):
        run = checkout.medianest(*command)
        assert run.code == 2
        assert "stack 'nothing' is not known" in run.err
    run = checkout.medianest("health", "staging")
    assert run.code == 1
    assert "stack staging is not deployed" in run.err


@pytest.mark.slow
def test_the_build_is_measured_anew(stack: Stack) -> None:
    before = set(of_stack(stack.engine, stack.name))
    _, checks = stack.health("--build")
    assert checks["image build"]["figure"].endswith("built anew, from nothing")
    assert checks["image build"]["level"] == "ok"
    assert set(of_stack(stack.engine, stack.name)) == before
