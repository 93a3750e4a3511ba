"""Who is told of an alert, and when: Alertmanager's configuration, from the settings. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import yaml

from components.monitoring.rules.watch import WATCHDOG
from components.monitoring.scraping import GUARDIAN_PORT
from components.monitoring.windows import duration
from components.settings import GUARDIAN_TOKEN, SECRETS_DIRECTORY, EmailSettings, MonitoringSettings

DOWN = "alertname=ServiceDown"
# What the guardian sends when it needs a person.
PAGE = "GuardianPage"
GUARDIAN_URL = f"http://guardian:{GUARDIAN_PORT}/alerts"


def alertmanager_configuration(monitoring: MonitoringSettings, given: Collection[str]) -> str:
    """Write alertmanager.yml. `given` are the secrets that the team has set, of TEAM_SECRETS.

    The guardian is told at once and often, since it acts; people are told when something has lasted,
    of everything that belongs together at once, and again every four hours.
    Source: https://prometheus.io/docs/alerting/0.28/configuration/
    """
    scale = monitoring.time_scale

    def scaled(seconds: float) -> str:
        return duration(max(1.0, seconds * scale))

    document: dict[str, Any] = {
        "route": {
            "receiver": "team",
            "group_by": ["stack", "component"],
            "group_wait": scaled(30),
            "group_interval": scaled(300),
            "repeat_interval": scaled(4 * 3600),
            "routes": [
                {
                    "matchers": [f'alertname="{WATCHDOG}"'],
                    "receiver": "watchdog",
                    "group_wait": "0s",
                    "group_interval": scaled(15),
                    "repeat_interval": scaled(30),
                },
                {"matchers": [f'alertname="{PAGE}"'], "receiver": "team", "group_wait": "0s"},
                {
                    "receiver": "guardian",
                    "group_wait": "1s",
                    "group_interval": "5s",
                    "repeat_interval": scaled(60),
                    "continue": True,
                },
                # Without it those that the guardian was told of would end there.
                {"receiver": "team"},
            ],
        },
        "inhibit_rules": [
            _inhibited(
                "severity=critical",
                "severity=warning",
                *("alertname", "component", "instance_container"),
            ),
            # Backends cannot be well while Postgres is not: what they show is not their fault.
            _inhibited(f"{DOWN},component=postgres", "component=backend"),
            _inhibited(f"{DOWN},component=backend", "component=backend,severity=warning"),
        ],
        "receivers": [
            {"name": "guardian", "webhook_configs": [_guardian()]},
            {"name": "watchdog", "webhook_configs": [_guardian(), *_webhook("watchdog_webhook_url", given)]},
            _team(monitoring.email, given),
        ],
    }
    return yaml.safe_dump(document, sort_keys=False, width=1000)


def _inhibited(source: str, target: str, *equal: str) -> dict[str, Any]:
    return {
        "source_matchers": source.split(","),
        "target_matchers": target.split(","),
        "equal": ["stack", *equal],
    }


def _guardian() -> dict[str, Any]:
    return {
        "url": GUARDIAN_URL,
        "http_config": {
            "authorization": {"type": "Bearer", "credentials_file": f"{SECRETS_DIRECTORY}/{GUARDIAN_TOKEN}"}
        },
    }


def _webhook(secret: str, given: Collection[str]) -> list[dict[str, Any]]:
    return [{"url_file": f"{SECRETS_DIRECTORY}/{secret}"}] if secret in given else []


def _team(email: EmailSettings | None, given: Collection[str]) -> dict[str, Any]:
    receiver: dict[str, Any] = {"name": "team"}
    if webhook := _webhook("alert_webhook_url", given):
        receiver["webhook_configs"] = webhook
    if email:
        mail: dict[str, Any] = {
            "from": email.sender,
            "smarthost": email.server,
            "require_tls": email.tls,
            "send_resolved": True,
        }
        if email.user:
            mail["auth_username"] = email.user
            if "smtp_password" in given:
                mail["auth_password_file"] = f"{SECRETS_DIRECTORY}/smtp_password"
        receiver["email_configs"] = [{"to": address, **mail} for address in email.to]
    return receiver
