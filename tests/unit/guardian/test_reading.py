"""What others send, read: the engine's documents, Alertmanager's notifications, the settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.monitoring.scraping import prometheus_configuration
from components.settings import StackSettings
from guardian import settings
from guardian.alerts import Action, AlertsError, notification
from guardian.container_figures import Figures, figures
from guardian.dead_mans_switch import must_tell, silent_for
from guardian.engine.client import Event, event, moment, unframed
from guardian.engine.containers import Health, container, fingerprint, never_runs, seconds
from guardian.evidence import QUERIES, prune
from guardian.stack_watch import deploying
from tests.unit.guardian.stacks import NOW, SETTINGS, item

ROOT = Path(__file__).parents[3]
INSPECTED: dict[str, Any] = {
    "Id": "0123",
    "Name": "/medianest-staging-redis-1",
    "Created": "2026-11-24T14:00:00.123456789Z",
    "RestartCount": 2,
    "State": {
        "Status": "running",
        "Health": {"Status": "unhealthy"},
        "StartedAt": "2026-11-24T14:00:01Z",
        "FinishedAt": "0001-01-01T00:00:00Z",
        "ExitCode": 0,
        "OOMKilled": True,
    },
    "Config": {"Labels": {"medianest.component": "redis"}, "StopTimeout": 30},
    "HostConfig": {"Memory": 1024, "PidsLimit": 50},
    "NetworkSettings": {"Networks": {"data": {"IPAddress": "10.0.0.2"}, "cut": {"IPAddress": ""}}},
}


def test_a_container_is_read() -> None:
    found = container(INSPECTED)
    assert (found.name, found.component, found.health) == (
        "medianest-staging-redis-1",
        "redis",
        Health.UNHEALTHY,
    )
    assert (found.restarts, found.oom_killed, found.stop_seconds, found.memory_limit) == (2, True, 30, 1024)
    assert found.created == 1795528800.123456
    assert found.addresses == {"data": "10.0.0.2"}
    assert not found.serves


def test_a_container_of_which_little_is_known_is_read() -> None:
    bare = {"Id": "1", "Name": "/x", "State": {"Status": "created"}, "Config": {}, "HostConfig": {}}
    found = container(bare)
    assert (found.component, found.health, found.stop_seconds, found.addresses) == ("", Health.NONE, 10, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0.0),
        ("0001-01-01T00:00:00Z", 0.0),
        ("2026-11-24T14:00:00Z", 1795528800.0),
        ("2026-11-24T14:00:00.5Z", 1795528800.5),
        ("2026-11-24T15:00:00.000000001+01:00", 1795528800.0),
    ],
)
def test_moments_of_the_engine(text: str, expected: float) -> None:
    assert seconds(text) == expected


def test_what_changes_in_a_list_is_the_state_and_not_the_time() -> None:
    def listed(status: str) -> tuple[str, ...]:
        return fingerprint({"State": "running", "Status": status})

    assert (
        listed("Up 3 seconds (healthy)") == listed("Up 2 hours (healthy)") != listed("Up 2 hours (unhealthy)")
    )
    on = {"NetworkSettings": {"Networks": {"data": {"IPAddress": "10.0.0.2"}}}}
    assert fingerprint({"State": "running", **on}) != fingerprint({"State": "running"})
    assert never_runs({"State": "created", "HostConfig": {"NetworkMode": "none"}})
    assert not never_runs({"State": "created", "HostConfig": {"NetworkMode": "data"}})


def test_an_event_is_read() -> None:
    attributes = {"name": "redis-1", "medianest.component": "redis", "exitCode": "137"}
    actor = {"ID": "0123", "Attributes": attributes}
    found = event({"Action": "die", "timeNano": 17_500_000_000, "Actor": actor})
    assert found == Event(17.5, "die", "0123", "redis-1", "redis", 137)


def test_a_log_without_its_frames() -> None:
    frame = b"\x01\0\0\0\0\0\0\x05hello"
    assert unframed(frame + b"\x02\0\0\0\0\0\0\x01!") == b"hello!"
    assert unframed(b"plain text") == b"plain text"
    assert unframed(frame + b"\x01\0\0") == b"hello\x01\0\0"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"medianest.since": "17"}, 17.0),
        ({"medianest.since": "soon"}, 1795528800.0),
        ({}, 1795528800.0),
        (None, 1795528800.0),
    ],
)
def test_since_when_a_mark_is_there(labels: dict[str, str] | None, expected: float) -> None:
    assert moment({"Labels": labels, "CreatedAt": "2026-11-24T14:00:00Z"}) == expected


@pytest.mark.parametrize(
    ("marks", "releases", "age", "expected"),
    [
        ([], ("r1", "r1"), 9, ""),
        ([NOW - 10], ("r1", "r1"), 9, "`up` has marked it"),
        ([NOW - 2000], ("r1", "r1"), 9, ""),
        ([], ("r1", "r2"), 9, "two releases run beside each other"),
        ([], ("r1", "r2"), 1000, ""),
    ],
)
def test_whether_a_deploy_goes_on(
    marks: list[float], releases: tuple[str, str], age: float, expected: str
) -> None:
    backends = [item(f"backend-{n}", release=r, created=NOW - age) for n, r in enumerate(releases)]
    assert deploying(NOW, marks, backends, SETTINGS) == expected


def sent(**changes: Any) -> dict[str, Any]:
    labels = {
        "alertname": "BackendMemoryHigh",
        "action": "restart",
        "severity": "critical",
        "component": "backend",
    }
    told = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "too much"},
        "startsAt": "2026-11-24T14:00:00Z",
        "fingerprint": "f1",
    }
    return {"version": "4", "alerts": [{**told, **changes}]}


def test_alerts_are_read() -> None:
    (found,) = notification(sent()).firing
    assert (found.name, found.action, found.critical) == ("BackendMemoryHigh", Action.RESTART, True)
    assert found.starts_at == 1795528800.0
    assert found.about == "BackendMemoryHigh:f1:1795528800"
    assert [one.name for one in notification(sent(status="resolved")).resolved] == ["BackendMemoryHigh"]


def test_an_action_of_a_newer_version_is_none() -> None:
    (found,) = notification(sent(labels={"alertname": "New", "action": "dance"})).firing
    assert found.action is Action.NONE


@pytest.mark.parametrize(
    "document",
    [
        *([], "x", None, {}, {"alerts": {}}, {"alerts": [1]}, {"alerts": [{}]}),
        sent(labels={"severity": "critical"}),
        sent(startsAt="soon"),
        sent(startsAt=None),
    ],
)
def test_what_is_no_notification_is_refused(document: object) -> None:
    with pytest.raises(AlertsError):
        notification(document)


STATS: dict[str, Any] = {
    "memory_stats": {"usage": 1000, "stats": {"total_inactive_file": 300}},
    "cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}},
    "pids_stats": {"current": 7},
}


def test_memory_is_told_without_the_page_cache() -> None:
    assert figures(STATS, NOW) == Figures(NOW, 700, 2.5, 7)
    second_version = {**STATS, "memory_stats": {"usage": 1000, "stats": {"inactive_file": 200}}}
    assert figures(second_version, NOW) == Figures(NOW, 800, 2.5, 7)
    assert figures({"memory_stats": {}}, NOW) is None


def told(**given: object) -> settings.Settings:
    return settings.read({settings.VARIABLE: json.dumps({"stack": "s", "owner": "o", **given})})


def test_settings_are_read_and_shortened_for_tests() -> None:
    found = told(time_scale=0.01, directory="/x")
    assert (found.budget_seconds, found.backoff_first_seconds, found.watchdog_seconds) == (6, 0.1, 3)
    assert (found.look_seconds, found.start_seconds, found.directory) == (5, 60, Path("/x"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a JSON document"),
        ('{"stack": "s"}', "stack and owner"),
        ('{"stack": "s", "owner": "o", "new": 1}', "unknown settings: new"),
        ('{"stack": "s", "owner": "o", "budget_seconds": "long"}', "budget_seconds must be a number"),
        ('{"stack": "s", "owner": "o", "time_scale": 0}', "time_scale must be above 0"),
    ],
)
def test_settings_that_cannot_be_used_are_named(text: str, problem: str) -> None:
    with pytest.raises(settings.SettingsError, match=problem):
        settings.read({settings.VARIABLE: text})


def test_a_secret_is_its_file_and_none_without(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("value\n")
    assert settings.secret(tmp_path / "token") == "value"
    assert settings.secret(tmp_path / "nothing") == ""


@pytest.mark.parametrize(
    ("silent", "told_ago", "expected"),
    [(299, None, False), (300, None, True), (400, 100, False), (4000, 3700, True), (300, 900, True)],
)
def test_when_the_absence_of_the_watchdog_is_told(
    silent: float, told_ago: float | None, expected: bool
) -> None:
    assert must_tell(silent, told_ago, SETTINGS) is expected
    assert silent_for(NOW, heard=0, began=NOW - 7) == silent_for(NOW, heard=NOW - 7, began=0) == 7


@pytest.mark.parametrize(
    ("silent", "told_ago", "expected"), [(299, 90, False), (400, 59, False), (400, 60, True)]
)
def test_a_lost_page_on_the_watchdog_is_tried_again_within_the_hour(
    silent: float, told_ago: float, expected: bool
) -> None:
    assert must_tell(silent, told_ago, SETTINGS, lost=True) is expected


def test_only_figures_that_are_read_are_asked_for() -> None:
    """Those of Postgres pass the filter of what Prometheus keeps; the others are those of the contract."""
    configuration = yaml.safe_load(prometheus_configuration("medianest", "staging", StackSettings()))
    (exporter,) = (job for job in configuration["scrape_configs"] if job["job_name"] == "postgres-exporter")
    kept = re.compile(exporter["metric_relabel_configs"][0]["regex"])
    contract = (ROOT / "docs" / "contract.md").read_text()
    asked = {name for query in QUERIES.values() for name in re.findall(r"\b(?:pg|medianest)_\w+", query)}
    assert len(asked) > 10
    for name in sorted(asked):
        described = f"`{name.removesuffix('_bucket')}`" in contract
        assert kept.fullmatch(name) if name.startswith("pg_") else described, name


def test_only_the_newest_cases_are_kept(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"2026112{number}-case").mkdir()
    prune(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["20261124-case", "20261125-case"]
    prune(tmp_path / "nothing", 2)
