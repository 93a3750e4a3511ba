"""The rules of a stack: from its settings, as data, to the file that Prometheus reads. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from components.monitoring.rules.backend import backend, backend_trend
from components.monitoring.rules.model import Alert, Group
from components.monitoring.rules.resources import resources, secret_ages
from components.monitoring.rules.services import services
from components.monitoring.rules.traffic import error_budget, traffic
from components.monitoring.rules.watch import watch
from components.monitoring.windows import Windows
from components.settings import StackSettings


def rule_groups(settings: StackSettings, secrets_made: Mapping[str, str]) -> list[Group]:
    """Every rule of a stack. `secrets_made` tells when each secret got its value (ISO 8601)."""
    monitoring = settings.monitoring
    windows = Windows(monitoring.time_scale, monitoring.scrape_seconds)
    return [
        services(settings, windows),
        traffic(settings, windows),
        error_budget(settings, windows),
        backend(settings, windows),
        backend_trend(settings, windows),
        resources(settings, windows),
        secret_ages(settings, secrets_made),
        watch(windows),
    ]


def alerts(groups: list[Group]) -> list[Alert]:
    """The alerts among the rules."""
    return [rule for group in groups for rule in group.rules if isinstance(rule, Alert)]


def rules_file(settings: StackSettings, secrets_made: Mapping[str, str]) -> str:
    """The file of rules.

    Source: https://prometheus.io/docs/prometheus/2.53/configuration/alerting_rules/
    """
    document = {"groups": [group.document() for group in rule_groups(settings, secrets_made)]}
    return yaml.safe_dump(document, sort_keys=False, width=1000)
