"""The images that watch: a changed configuration is checked and taken over, a bad one is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from docker.models.containers import Container
from docker.models.volumes import Volume

from components.monitoring.alertmanager import COMMAND
from components.monitoring.notifying import alertmanager_configuration
from components.monitoring.rules import rules_file
from components.monitoring.scraping import prometheus_configuration
from components.settings import EmailSettings, MonitoringSettings, StackSettings
from tests.harness.inside import get, run
from tests.harness.volume_files import File
from tests.harness.waiting import until
from tests.images.engine import Engine, exit_code, logs, wait_healthy
from tests.images.rule_cases_resources import LOST

SETTINGS = StackSettings()
GOOD = {
    "prometheus": {
        "prometheus.yml": prometheus_configuration("medianest", "first", SETTINGS),
        "rules.yml": rules_file(SETTINGS, {"jwt_secret": "2026-01-01T00:00:00+00:00"}),
    },
    "alertmanager": {"alertmanager.yml": alertmanager_configuration(SETTINGS.monitoring, ())},
}
EMAIL = EmailSettings(to=["a@example.org"], sender="b@example.org", server="mail:25")
CHANGED = {
    "prometheus": {"prometheus.yml": prometheus_configuration("medianest", "second", SETTINGS)},
    "alertmanager": {
        "alertmanager.yml": alertmanager_configuration(
            MonitoringSettings(email=EMAIL), ["alert_webhook_url", "watchdog_webhook_url"]
        )
    },
}
# What only the changed one has.
SIGN = {"prometheus": "stack: second", "alertmanager": "a@example.org"}
BAD = {
    "prometheus": {"rules.yml": "groups: [{name: x, rules: [{alert: X, expr: 'sum('}]}]"},
    "alertmanager": {"alertmanager.yml": "route: {receiver: nobody}"},
}
PORTS = {"prometheus": 9090, "alertmanager": 9093}
PATHS = {"prometheus": "/api/v1/status/config", "alertmanager": "/api/v2/status"}


@dataclass(frozen=True)
class Watching:
    """One of the two, with the volume that its configuration comes from."""

    name: str
    image: str
    container: Container
    source: Volume

    def put(self, engine: Engine, files: dict[str, str]) -> None:
        given = {name: File(text) for name, text in files.items()}
        engine.write(self.image, self.source, given, f"/etc/{self.name}")

    def configuration(self) -> str:
        """What it says it goes by."""
        return self.answer(PATHS[self.name])

    def answer(self, path: str) -> str:
        return get(self.container, PORTS[self.name], path)


def start(
    engine: Engine, name: str, image: str, files: dict[str, str], command: Sequence[str] = ()
) -> Watching:
    user = PORTS[name]
    source = engine.files(image, {key: File(text) for key, text in files.items()}, f"/etc/{name}")
    container = engine.start(
        image,
        command,
        volumes={f"/etc/{name}:ro": str(source.name), f"/var/lib/{name}": str(engine.volume().name)},
        tmpfs={f"/run/{name}": f"rw,noexec,nosuid,nodev,size=4m,uid={user},gid={user},mode=0750"},
        environment={"CONFIGURATION_WAIT_SECONDS": "2"},
    )
    return Watching(name, image, container, source)


@pytest.fixture(params=sorted(GOOD))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def image(name: str, request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{name}_image"))


def test_a_change_is_taken_over_without_a_restart_and_a_bad_one_is_not(
    engine: Engine, name: str, image: str
) -> None:
    watching = start(engine, name, image, GOOD[name])
    wait_healthy(watching.container)
    assert SIGN[name] not in watching.configuration()
    began = watching.container.attrs["State"]["StartedAt"]

    watching.put(engine, BAD[name])
    until(lambda: "is refused" in logs(watching.container), "the bad one refused")
    assert SIGN[name] not in watching.configuration()

    watching.put(engine, {**GOOD[name], **CHANGED[name]})
    until(lambda: SIGN[name] in watching.configuration(), "the changed one in use")
    watching.container.reload()
    assert watching.container.attrs["State"]["StartedAt"] == began
    assert run(watching.container, "id", "-u")[1] == str(PORTS[name])

    watching.container.stop(timeout=20)
    assert exit_code(watching.container) == 0


def test_a_bad_configuration_stops_the_start_with_the_reason(engine: Engine, name: str, image: str) -> None:
    watching = start(engine, name, image, {**GOOD[name], **BAD[name]})
    assert exit_code(watching.container) == 1
    said = logs(watching.container)
    assert f"the configuration in /etc/{name} cannot be used" in said
    assert {"prometheus": "could not parse expression", "alertmanager": "undefined receiver"}[name] in said


def test_a_missing_configuration_is_told(engine: Engine, name: str, image: str) -> None:
    watching = start(engine, name, image, {})
    assert exit_code(watching.container) == 1
    assert f"no configuration in /etc/{name} after 2 s" in logs(watching.container)


def test_a_volume_of_somebody_elses_is_told(engine: Engine, name: str, image: str) -> None:
    container = engine.start(image, tmpfs={f"/var/lib/{name}": "rw,uid=1,mode=0700"})
    assert exit_code(container) == 1
    assert f"cannot be written by user {PORTS[name]}" in logs(container)


def test_messages_that_fail_are_counted_as_the_rule_reads_them(
    engine: Engine, alertmanager_image: str
) -> None:
    watching = start(engine, "alertmanager", alertmanager_image, GOOD["alertmanager"], COMMAND)
    wait_healthy(watching.container)
    metric, expected = LOST.split("{")
    counted = re.findall(rf"^{metric}\{{(.+)}}", watching.answer("/metrics"), re.M)
    assert 'receiver_name="guardian"' in "".join(counted)
    for labels in counted:
        assert re.findall(r"(\w+)=", labels) == sorted(re.findall(r"(\w+)=", expected))


def test_the_host_is_told_of_without_a_mount_of_its_own(engine: Engine, exporters_image: str) -> None:
    from components.monitoring.exporters import NODE_COMMAND

    exporter = engine.start(exporters_image, NODE_COMMAND, memory="48m")
    wait_healthy(exporter)
    figures = get(exporter, 9100, "/metrics")
    for figure in (
        'node_filesystem_avail_bytes{device="overlay"',
        "node_memory_MemAvailable_bytes ",
        'node_cpu_seconds_total{cpu="0",mode="idle"}',
        "node_load1 ",
    ):
        assert figure in figures, figure
    asked = [line for line in figures.splitlines() if line.startswith("node_scrape_collector_success{")]
    assert asked
    assert [line for line in asked if not line.endswith(" 1")] == []
