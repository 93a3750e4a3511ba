"""What Prometheus and Alertmanager are told, as pure text from the settings."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from components.monitoring.notifying import GUARDIAN_URL, PAGE, alertmanager_configuration
from components.monitoring.rules import alerts, rule_groups, rules_file
from components.monitoring.rules.backend import MEGABYTE, memory_levels
from components.monitoring.rules.model import Alert
from components.monitoring.scraping import jobs, prometheus_configuration
from components.monitoring.windows import Windows, duration
from components.settings import (
    AlertSettings,
    BackendSettings,
    EmailSettings,
    Levels,
    LimitSettings,
    MonitoringSettings,
    SettingsError,
    StackSettings,
    load,
)

DEFAULT = StackSettings()
# Nobody has to be woken for what can wait, nor is a restart the answer to everything.
ACTIONS = {"none", "investigate", "restart", "restart-workers", "page"}


def parsed(settings: StackSettings = DEFAULT) -> dict[str, Any]:
    document = yaml.safe_load(prometheus_configuration("medianest", "staging", settings))
    assert isinstance(document, dict)
    return document


def job(name: str, settings: StackSettings = DEFAULT) -> dict[str, Any]:
    (found,) = (job for job in parsed(settings)["scrape_configs"] if job["job_name"] == name)
    assert isinstance(found, dict)
    return found


def found(settings: StackSettings = DEFAULT) -> list[Alert]:
    return alerts(rule_groups(settings, {}))


def monitored(**settings: Any) -> StackSettings:
    return StackSettings(monitoring=MonitoringSettings(**settings))


def test_a_reading_ends_before_the_next_one_begins() -> None:
    for seconds in (1.0, 5.0, 30.0):
        document = parsed(monitored(scrape_seconds=seconds))["global"]
        interval, timeout = (
            float(document[f"scrape_{name}"].removesuffix("ms")) for name in ("interval", "timeout")
        )
        assert interval == seconds * 1000
        assert timeout < interval


def test_alerts_say_of_which_stack_they_are() -> None:
    assert parsed()["global"]["external_labels"] == {"project": "medianest", "stack": "staging"}


def test_every_replica_of_a_backend_is_found_by_its_name() -> None:
    settings = StackSettings(backend=BackendSettings(port=8081))
    (discovery,) = job("backend", settings)["dns_sd_configs"]
    assert (discovery["names"], discovery["type"], discovery["port"]) == (["backend"], "A", 8081)


def test_a_backend_without_figures_is_not_asked_and_not_missed() -> None:
    settings = monitored(backend_metrics=None)
    assert jobs(DEFAULT) - jobs(settings) == {"backend"}
    lost = {alert.name for alert in found()} - {alert.name for alert in found(settings)}
    assert lost == {
        "ResponseTimeHigh",
        "WorkerFailures",
        "WorkerPoolUnhealthy",
        "WorkerPoolSaturated",
        "QueueAgeHigh",
        "DatabasePoolSaturated",
        "BackendFiguresMissing",
    }


def test_every_alert_has_what_the_guardian_goes_by() -> None:
    for alert in found():
        document = alert.document()
        assert document["labels"]["severity"] in {"warning", "critical"}, alert.name
        assert document["labels"]["action"] in ACTIONS, alert.name
        assert document["labels"]["component"], alert.name
        assert document["annotations"]["runbook"] == f"docs/monitoring.md#{alert.name.lower()}"
        assert document["annotations"]["summary"].endswith("."), alert.name


def test_an_alert_is_told_from_any_other_by_name_level_and_component() -> None:
    keys = [(alert.name, alert.severity, alert.component) for alert in found()]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("limit_mb", "expected"),
    [(512, (384, 460.8)), (2048, (1536, 1843.2)), (4096, (1536, 2048)), (16384, (1536, 2048))],
)
def test_the_levels_of_memory_stay_below_a_small_limit(limit_mb: int, expected: tuple[float, float]) -> None:
    settings = StackSettings(backend=BackendSettings(limits=LimitSettings(memory_mb=limit_mb)))
    assert memory_levels(settings) == pytest.approx([level * MEGABYTE for level in expected])


def test_time_can_be_shrunk_but_a_window_always_holds_readings() -> None:
    windows = Windows(scale=0.01, scrape_seconds=1)
    assert (windows.span(3600), windows.span(300), windows.hold(60)) == ("36000ms", "4000ms", "600ms")
    assert windows.ahead(3600) == 36
    text = rules_file(monitored(time_scale=0.01, scrape_seconds=1.0), {})
    assert "[36000ms]" in text
    assert "[3600000ms]" not in text


def test_durations_are_those_of_prometheus() -> None:
    assert (duration(5), duration(0.25), duration(3600)) == ("5000ms", "250ms", "3600000ms")


def test_levels_of_the_settings_are_those_of_the_rules() -> None:
    settings = monitored(alerts=AlertSettings(error_percent=Levels(warning=2.5, critical=7)))
    rates = {alert.severity: alert.expression for alert in found(settings) if alert.name == "ErrorRateHigh"}
    assert "> 2.5 " in rates["warning"]
    assert "> 7 " in rates["critical"]


def test_the_ages_of_secrets_stand_in_the_rules() -> None:
    document = yaml.safe_load(rules_file(DEFAULT, {"jwt_secret": "2026-01-02T03:04:05+00:00"}))
    (group,) = (group for group in document["groups"] if group["name"] == "secrets")
    assert group["rules"][0] == {
        "record": "medianest_secret_made_timestamp_seconds",
        "expr": "vector(1767323045)",
        "labels": {"secret": "jwt_secret"},
    }


def notified(*given: str, **settings: Any) -> dict[str, Any]:
    document = yaml.safe_load(alertmanager_configuration(MonitoringSettings(**settings), given))
    assert isinstance(document, dict)
    return document


def receiver(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (item for item in document["receivers"] if item["name"] == name)
    assert isinstance(found, dict)
    return found


def test_the_guardian_is_told_at_once_with_its_token() -> None:
    document = notified()
    (route,) = (route for route in document["route"]["routes"] if route["receiver"] == "guardian")
    assert route["group_wait"] == "1s"
    assert route["continue"] is True
    (webhook,) = receiver(document, "guardian")["webhook_configs"]
    assert webhook["url"] == GUARDIAN_URL
    authorization = webhook["http_config"]["authorization"]
    assert authorization == {"type": "Bearer", "credentials_file": "/run/secrets/guardian_token"}


def test_a_page_goes_to_the_team_and_not_back_to_the_guardian() -> None:
    routes = notified()["route"]["routes"]
    (page,) = (route for route in routes if route.get("matchers") == [f'alertname="{PAGE}"'])
    assert page["receiver"] == "team"
    assert not page.get("continue")
    assert routes.index(page) < next(
        number for number, route in enumerate(routes) if route["receiver"] == "guardian"
    )


def test_the_team_is_told_only_where_it_said() -> None:
    assert receiver(notified(), "team") == {"name": "team"}
    told = receiver(notified("alert_webhook_url"), "team")
    assert told["webhook_configs"] == [{"url_file": "/run/secrets/alert_webhook_url"}]
    assert len(receiver(notified("watchdog_webhook_url"), "watchdog")["webhook_configs"]) == 2


def test_mail_goes_to_each_address_with_the_password_in_a_file() -> None:
    email = EmailSettings(
        to=["a@example.org", "b@example.org"], sender="s@example.org", server="mail:587", user="u"
    )
    mails = receiver(notified("smtp_password", email=email), "team")["email_configs"]
    assert [mail["to"] for mail in mails] == ["a@example.org", "b@example.org"]
    assert {mail["auth_password_file"] for mail in mails} == {"/run/secrets/smtp_password"}
    assert all(mail["require_tls"] for mail in mails)


def test_what_follows_from_something_else_waits() -> None:
    rules = notified()["inhibit_rules"]
    assert {
        "source_matchers": ["alertname=ServiceDown", "component=postgres"],
        "target_matchers": ["component=backend"],
        "equal": ["stack"],
    } in rules
    assert any(rule["target_matchers"] == ["severity=warning"] for rule in rules)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"alerts": {"error_percent": {"warning": 5, "critical": 1}}}, "warning must be below critical"),
        ({"alerts": {"disk_free_percent": {"warning": 5, "critical": 15}}}, "warning must be above critical"),
        ({"scrape_seconds": 0.1}, "greater than or equal to 1"),
        ({"time_scale": 2}, "less than or equal to 1"),
        ({"email": {"to": [], "sender": "a@b", "server": "mail:25"}}, "monitoring.email.to"),
        ({"email": {"to": ["nobody"], "sender": "a@b", "server": "mail:25"}}, "monitoring.email.to.0"),
        ({"email": {"to": ["a@b"], "sender": "a@b", "server": "mail"}}, "monitoring.email.server"),
        ({"grafana": True}, "setting monitoring.grafana is not known"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem.replace(".", r"\.")):
        load("medianest", {"medianest:monitoring": json.dumps(given)}, ())


def test_a_receivers_secret_has_to_be_encrypted_and_a_backend_cannot_take_its_name() -> None:
    url = {"medianest:alert_webhook_url": "https://example.org/hook"}
    assert load("medianest", url, ["medianest:alert_webhook_url"]).monitoring.enabled
    with pytest.raises(SettingsError, match="in plain text"):
        load("medianest", url, ())
    with pytest.raises(SettingsError, match="taken by the toolkit"):
        load("medianest", {"medianest:backend": '{"secrets": {"smtp_password": {}}}'}, ())
