"""What the guardian is told: one JSON document in a variable, and secrets as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

VARIABLE = "GUARDIAN_SETTINGS"


class SettingsError(ValueError):
    """Settings that cannot be used. The message says what is wrong."""


@dataclass(frozen=True)
class Settings:
    """All times are in seconds; `time_scale`, 1 or less, shortens those that a test cannot
    wait for.

    `restart_workers`, `stack_dump` and `report` are paths of a backend, empty where it has none.
    """

    stack: str
    owner: str
    time_scale: float = 1.0
    # The backend that it heals, and the network where it reaches each replica.
    network: str = ""
    backend_port: int = 3000
    report: str = "/api/health"
    metrics: str = "/metrics"
    restart_workers: str = ""
    stack_dump: str = ""
    # Whom it asks and tells. Empty: nobody.
    engine: str = "http://engine-proxy:2375"
    prometheus: str = "http://prometheus:9090"
    alertmanager: str = "http://alertmanager:9093"
    token_file: Path = Path("/run/secrets/guardian_token")
    webhook_file: Path = Path("/run/secrets/alert_webhook_url")
    directory: Path = Path("/var/lib/guardian")
    port: int = 8080
    # The page for people, on a port of its own; 0 for none.
    dashboard_port: int = 0
    dashboard_password_file: Path = Path("/run/secrets/dashboard_password")
    # How it acts.
    budget_actions: int = 5
    budget_seconds: float = 600
    backoff_first_seconds: float = 10
    backoff_longest_seconds: float = 300
    settle_seconds: float = 60
    start_seconds: float = 60
    page_again_seconds: float = 3600
    # Alertmanager tells of what fires once a minute.
    alert_seconds: float = 240
    rollback_seconds: float = 3600
    deploy_seconds: float = 1800
    look_seconds: float = 5
    # What it notices the absence of.
    watchdog_seconds: float = 300
    # What it writes down.
    memory_report_seconds: float = 300
    health_report_seconds: float = 60
    workers_report_seconds: float = 86400
    report_days: int = 30
    evidence_cases: int = 50

    def scaled(self) -> Settings:
        """The same, with what takes its time made shorter, but for what a machine needs in any case."""
        names = (
            *("budget_seconds", "backoff_first_seconds", "backoff_longest_seconds", "settle_seconds"),
            *("page_again_seconds", "watchdog_seconds"),
            *("memory_report_seconds", "health_report_seconds", "workers_report_seconds"),
        )
        return replace(self, **{name: getattr(self, name) * self.time_scale for name in names})


def read(environment: Mapping[str, str]) -> Settings:
    """The settings in force. Raises SettingsError."""
    text = environment.get(VARIABLE, "")
    try:
        given: dict[str, Any] = json.loads(text)
    except ValueError:
        raise SettingsError(f"{VARIABLE} is not a JSON document") from None
    known = {item.name: item for item in fields(Settings)}
    if unknown := given.keys() - known.keys():
        raise SettingsError(f"{VARIABLE} has unknown settings: {', '.join(sorted(unknown))}")
    for name, value in given.items():
        kind = known[name].type
        if kind == "Path":
            given[name] = Path(str(value))
        elif kind in ("int", "float") and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise SettingsError(f"{VARIABLE}: {name} must be a number")
    try:
        settings = Settings(**given)
    except TypeError:
        raise SettingsError(f"{VARIABLE} must have the settings stack and owner") from None
    if not 0 < settings.time_scale <= 1:
        raise SettingsError(f"{VARIABLE}: time_scale must be above 0 and at most 1")
    return settings.scaled()


def secret(path: Path) -> str:
    """A secret's value, read each time, since a rotation changes the file; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except OSError:
        return ""
