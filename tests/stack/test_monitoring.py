"""A watched stack: every part is read, every rule evaluated, and what is wrong reaches Alertmanager."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import docker
import pytest
import requests
from docker.models.containers import Container

from components import labels
from components.accounts import REDIS_ADMINISTRATOR_FILE, as_redis_administrator, psql
from components.engine_exec import run_in_container
from components.monitoring.rules import rule_groups
from components.monitoring.scraping import ALERTMANAGER_PORT, PROMETHEUS_PORT, jobs
from components.settings import StackSettings, load
from tests.harness.at_fault import healthy, journal, started_at
from tests.harness.checkout import STAGING, Checkout, containers_of, new_name, swept
from tests.harness.deployed_stack import WATCHING
from tests.harness.inside import get, output_of
from tests.harness.waiting import until

# By the issue of the figure: from the fault to the alert at Alertmanager, with readings every 5 s.
DETECTION_SECONDS = 15.0
# This machine may be three times slower than one that has nothing else to do.
PATIENCE = 3.0
MEMORY_MB = 250
WATCHED = {**STAGING, "medianest:monitoring": {"enabled": True}}


@dataclass(frozen=True)
class Watched:
    """The stack under test."""

    name: str
    checkout: Checkout
    engine: docker.DockerClient
    settings: StackSettings

    def one(self, component: str) -> Container:
        (container,) = containers_of(self.engine, self.name, component)
        return container

    def ask(self, component: str, port: int, path: str) -> Any:
        """What a part answers, from inside its container."""
        return json.loads(get(self.one(component), port, path))

    def prometheus(self, path: str) -> dict[str, Any]:
        answer = self.ask("prometheus", PROMETHEUS_PORT, path)
        assert answer["status"] == "success", answer
        data = answer["data"]
        assert isinstance(data, dict)
        return data

    def alerts(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What Alertmanager knows, by name and component."""
        return {
            (alert["labels"]["alertname"], alert["labels"]["component"]): alert
            for alert in self.ask("alertmanager", ALERTMANAGER_PORT, "/api/v2/alerts")
        }


@pytest.fixture(scope="module")
def watched(engine: docker.DockerClient, checkout: Checkout) -> Iterator[Watched]:
    name = new_name("watched")
    with swept(engine, name):
        checkout.declare(name, WATCHED)
        # Its checks of what runs are those of the watch as well.
        checkout.expect("up", name, "--yes", timeout=900)
        yield Watched(name, checkout, engine, load("medianest", WATCHED, ()))
        checkout.medianest("down", name, "--yes")


def test_every_part_is_read(watched: Watched) -> None:

    def up() -> dict[str, int]:
        targets = watched.prometheus("/api/v1/targets?state=active")["activeTargets"]
        return Counter(target["labels"]["job"] for target in targets if target["health"] == "up")

    wanted = dict.fromkeys(jobs(watched.settings), 1) | {"backend": watched.settings.backend.replicas}
    until(lambda: up() == wanted, f"{wanted} read", 30 * PATIENCE)


def test_every_rule_is_loaded_and_can_be_evaluated(watched: Watched) -> None:
    groups = rule_groups(watched.settings, {})
    wanted = {group.name: len(group.rules) for group in groups if group.name != "secrets"}

    def evaluated() -> bool:
        found = watched.prometheus("/api/v1/rules")["groups"]
        assert wanted.items() <= {group["name"]: len(group["rules"]) for group in found}.items()
        rules = [rule for group in found for rule in group["rules"]]
        assert [rule["name"] for rule in rules if rule["health"] == "err"] == []
        return all(rule["health"] == "ok" for rule in rules)

    until(evaluated, "all rules evaluated", 90)


def test_the_age_of_every_secret_is_known(watched: Watched) -> None:
    query = "/api/v1/query?query=medianest_secret_made_timestamp_seconds"
    found = {item["metric"]["secret"] for item in watched.prometheus(query)["result"]}
    assert found == set(watched.settings.secret_names()) - {"backup_key"}


def test_the_dashboard_has_every_figure_it_asks_for(watched: Watched) -> None:
    """In the terminal's form, which comes out of the same document."""
    gateway = watched.checkout.expect("status", watched.name, "--json").document()["url"]

    def missing() -> set[str]:
        for _ in range(20):
            requests.get(f"{gateway}/api/health", timeout=10)
        found = watched.checkout.medianest("watch", watched.name, "--once", "--json").document()
        figures = {**found["traffic"], **found["resources"]}
        return {name for name, figure in figures.items() if figure is None} | (
            {"routes"} if not found["routes"] else set()
        )

    # Nobody has logged in yet, so nothing has been read through the cache.
    until(lambda: missing() <= {"cache_hit_ratio"}, "every figure", 60 * PATIENCE)


def test_the_dashboard_is_published_behind_its_login_and_nothing_beside_it(watched: Watched) -> None:
    told = watched.checkout.expect("dashboard", watched.name, "--json").document()
    password = subprocess.run(told["password_command"].split(), capture_output=True, text=True, check=True)
    with requests.Session() as browser:
        assert browser.get(told["url"], timeout=10).url == f"{told['url']}/login"
        for path in ("/metrics", "/alerts", "/document"):
            assert browser.get(told["url"] + path, timeout=10).status_code == 404, path
        assert browser.get(f"{told['url']}/state", timeout=10).status_code == 401
        browser.post(f"{told['url']}/login", data={"password": password.stdout}, timeout=10)
        state = browser.get(f"{told['url']}/state", timeout=10).json()
    assert state["stack"] == watched.name
    assert {"gateway", "backend", "postgres", "redis"} <= {item["component"] for item in state["containers"]}
    assert all(item["memory_limit"] and item["cores_limit"] for item in state["containers"])
    assert state["drift"] == []


def test_the_watch_in_the_terminal_goes_on_until_it_is_ended(watched: Watched) -> None:
    process = watched.checkout.start("./medianest", "watch", watched.name, "--json", "--interval", "0.5")
    assert process.stdout is not None
    try:
        documents = [json.loads(process.stdout.readline()) for _ in range(3)]
        assert documents[0]["now"] < documents[1]["now"] < documents[2]["now"]
        assert {document["lost"] for document in documents} == {""}
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert (process.returncode, said) == (0, "")
    finally:
        process.kill()


def test_the_watch_tells_of_a_guardian_that_does_not_answer(watched: Watched) -> None:
    guardian = watched.one("guardian")
    guardian.pause()
    try:
        found = watched.checkout.medianest("watch", watched.name, "--once", "--json")
    finally:
        guardian.unpause()
    until(lambda: healthy(guardian), "the guardian is well again", 60 * PATIENCE)
    document = found.document()
    assert (found.code, document["verdict"]["word"]) == (1, "degraded")
    assert document["stale"]["figures"].startswith("The guardian tells nothing: ")
    # What the engine tells is there all the same.
    assert {"gateway", "backend", "guardian"} <= {item["component"] for item in document["containers"]}


def test_nothing_is_told_of_a_stack_that_is_well(watched: Watched) -> None:
    watchdog = {("Watchdog", "prometheus")}
    # What the start was like is over.
    until(lambda: set(watched.alerts()) == watchdog, "no other alert", 60 * PATIENCE)


def test_the_watch_costs_little_memory(watched: Watched) -> None:
    used = 0
    for component in WATCHING:
        memory = cast("dict[str, Any]", watched.one(component).stats(stream=False))["memory_stats"]
        used += memory["usage"] - memory["stats"].get("inactive_file", 0)
    assert used < MEMORY_MB * 1024 * 1024


# A paused Postgres takes connections and says nothing: the slowest to notice.
@pytest.mark.parametrize(("component", "fault"), [("redis", "stop"), ("postgres", "pause")])
def test_a_service_that_is_gone_is_told_of_in_time(watched: Watched, component: str, fault: str) -> None:
    service = watched.one(component)
    key = ("ServiceDown", component)
    assert key not in watched.alerts()
    getattr(service, fault)()
    try:
        took = until(
            lambda: key in watched.alerts(), f"ServiceDown of {component}", DETECTION_SECONDS * PATIENCE
        )
    finally:
        service.unpause() if fault == "pause" else service.start()
    print(f"{component} {fault}: told of after {took:.1f} s")
    until(lambda: key not in watched.alerts(), f"{component} is well again", 60 * PATIENCE)


def test_alerts_of_backends_wait_while_postgres_is_down(watched: Watched) -> None:
    postgres = watched.one("postgres")
    postgres.stop()
    try:
        key = ("ServiceDown", "backend")
        until(
            lambda: watched.alerts().get(key, {}).get("status", {}).get("state") == "suppressed",
            "the backends' alert held back",
            60 * PATIENCE,
        )
        inhibited = watched.alerts()[key]["status"]["inhibitedBy"]
        assert watched.alerts()[("ServiceDown", "postgres")]["fingerprint"] in inhibited
    finally:
        postgres.start()
    until(lambda: key not in watched.alerts(), "the backends are well again", 60 * PATIENCE)


def test_a_restore_brings_back_the_data_and_leaves_what_watches_alone(
    watched: Watched, tmp_path: Path
) -> None:
    def started() -> dict[str, str]:
        return {component: started_at(watched.one(component)) for component in [*WATCHING, "postgres"]}

    def marked() -> bool:
        own = [f"{labels.STACK}={watched.name}", f"{labels.COMPONENT}={labels.DEPLOYING}"]
        return bool(watched.engine.volumes.list(filters={"label": own}))

    def acted() -> list[dict[str, Any]]:
        return journal(watched.one("guardian"), kind="action")

    # What was healed of the test before may not be done yet.
    until(lambda: not acted() or acted()[-1]["outcome"] != "begun", "nothing is being healed", 60 * PATIENCE)
    query = "/api/v1/query?query=count_over_time(up{job=%22guardian%22}[1h])"
    before, done = started(), acted()
    readings = int(watched.prometheus(query)["result"][0]["value"][1])
    made = watched.checkout.expect("backup", watched.name, "--to", str(tmp_path), "--json").document()
    assert made["verified"] is True
    assert made["manifest"]["volumes"] == ["media"]
    backends = [started_at(item) for item in containers_of(watched.engine, watched.name, "backend")]
    process = watched.checkout.start("./medianest", "restore", watched.name, made["file"], "--yes", "--json")
    until(marked, "the restore marks that it is under way", 60 * PATIENCE, pause=0.1)
    out, err = process.communicate(timeout=60 * PATIENCE)
    assert process.returncode == 0, out + err
    assert json.loads(out)["volumes"] == ["media"]
    assert not marked()
    assert started() == before
    assert acted() == done
    again = [started_at(item) for item in containers_of(watched.engine, watched.name, "backend")]
    assert not set(again) & set(backends)
    assert int(watched.prometheus(query)["result"][0]["value"][1]) >= readings
    # The next tests begin with a stack that is well.
    gone = ("ServiceDown", "backend")
    until(lambda: gone not in watched.alerts(), "the backends are well again", 60 * PATIENCE)


def test_what_watches_has_not_drifted(watched: Watched) -> None:
    document = watched.checkout.expect("drift", watched.name, "--json", timeout=120).document()
    assert document["findings"] == [], document


def test_the_exporters_get_new_passwords_and_the_former_accounts_are_retired(watched: Watched) -> None:
    names = ("postgres_monitoring_password", "redis_monitoring_password")
    watched.checkout.expect("secrets", "rotate", watched.name, *names, "--yes", timeout=300)

    def answered() -> bool:
        figures = ("pg_up", "redis_up")
        found = [watched.prometheus(f"/api/v1/query?query={figure}")["result"] for figure in figures]
        return [result[0]["value"][1] for result in found if result] == ["1", "1"]

    until(answered, "both services asked with the new passwords", 60 * PATIENCE)
    redis, postgres = (str(watched.one(component).id) for component in ("redis", "postgres"))
    administrator = as_redis_administrator(f"/run/secrets/{REDIS_ADMINISTRATOR_FILE}")
    users = run_in_container(redis, administrator, "ACL USERS\n").split()
    assert "monitoring_b" in users
    assert "monitoring_a" not in users
    command = psql(watched.settings.postgres.user, watched.settings.postgres.database)
    query = "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname LIKE '%monitoring%';\n\\q\n"
    assert run_in_container(postgres, command, query) == "medianest_monitoring_b"


def test_the_file_of_a_secret_goes_when_the_team_takes_it_back(watched: Watched) -> None:
    always = {
        "alertmanager": frozenset({"guardian_token"}),
        "guardian": frozenset({"guardian_token", "dashboard_password"}),
    }

    def files(consumer: str) -> frozenset[str]:
        return frozenset(output_of(watched.one(consumer), "ls", "/run/secrets").split())

    def after(*change: str) -> dict[str, frozenset[str]]:
        assert watched.checkout.pulumi("config", *change, "--stack", watched.name).code == 0
        watched.checkout.expect("up", watched.name, "--no-verify", "--allow-interruption", timeout=300)
        return {name: files(name) for name in always}

    given = after("set", "--secret", "alert_webhook_url", "https://127.0.0.1/nobody")
    assert given == {name: own | {"alert_webhook_url"} for name, own in always.items()}
    assert after("rm", "alert_webhook_url") == always
