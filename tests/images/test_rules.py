"""Every alert fires when it should, and is silent when it should be, as Prometheus itself sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from components.monitoring.rules import alerts, rule_groups, rules_file
from components.monitoring.rules.model import GUIDE, Alert, Recording
from components.settings import BackendSettings, StackSettings
from tests.harness.volume_files import File
from tests.images.engine import Engine
from tests.images.rule_cases import SERVICES, TRAFFIC, Case, Firing
from tests.images.rule_cases_resources import BACKEND, RESOURCES, WATCH

ROOT = Path(__file__).parents[2]
SETTINGS = StackSettings(backend=BackendSettings(replicas=2))
SECRETS_MADE = {"jwt_secret": "1970-01-01T00:00:00+00:00"}
CASES = [*SERVICES, *TRAFFIC, *BACKEND, *RESOURCES, *WATCH]
GROUPS = rule_groups(SETTINGS, SECRETS_MADE)
ALERTS = alerts(GROUPS)
# It always fires: that is what it is for.
NEVER_SILENT = {"Watchdog"}


def rule_of(name: str, firing: Firing) -> Alert:
    (rule,) = (
        rule
        for rule in ALERTS
        if (rule.name, rule.severity) == (name, firing.severity)
        and (rule.component == firing.component or rule.component.startswith("{{"))
        and not (rule.component.startswith("{{") and _named(name, firing))
    )
    return rule


def _named(name: str, firing: Firing) -> bool:
    return any(
        (rule.name, rule.severity, rule.component) == (name, firing.severity, firing.component)
        for rule in ALERTS
    )


def test_every_rule_is_made_to_fire_and_kept_silent() -> None:
    fired = {id(rule_of(case.alert, firing)) for case in CASES for firing in case.firing}
    assert [rule for rule in ALERTS if id(rule) not in fired] == []
    silent = {case.alert for case in CASES if not case.firing}
    assert {rule.name for rule in ALERTS} - silent == NEVER_SILENT


def group_of(case: Case) -> str:
    return next(group.name for group in GROUPS if case.alert in {rule.name for rule in group.rules})


def document(cases: Iterable[Case], group: str, step: int) -> str:
    return yaml.safe_dump(
        {
            "rule_files": [f"{group}.yml"],
            "evaluation_interval": f"{step}s",
            "tests": [_test(case) for case in cases],
        },
        sort_keys=False,
        width=1000,
    )


def _test(case: Case) -> dict[str, Any]:
    return {
        "name": f"{case.alert} at {case.at} s",
        "interval": f"{case.step}s",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "alert_rule_test": [
            {
                "eval_time": f"{case.at}s",
                "alertname": case.alert,
                "exp_alerts": [_expected(case, firing) for firing in case.firing],
            }
        ],
    }


def _expected(case: Case, firing: Firing) -> dict[str, Any]:
    rule = rule_of(case.alert, firing)
    own = {"severity": firing.severity, "component": firing.component, "action": rule.action}
    return {
        "exp_labels": {**firing.labels, **own},
        "exp_annotations": {"summary": firing.summary, "runbook": f"{GUIDE}#{case.alert.lower()}"},
    }


def test_rules_fire_and_are_silent(engine: Engine, prometheus_image: str) -> None:
    # Each with the rules of its own group, since all of them would be evaluated at every step.
    def place(case: Case) -> tuple[str, int]:
        return group_of(case), case.step

    tests = {
        f"{group}-every-{step}s.yml": document(cases, group, step)
        for (group, step), cases in groupby(sorted(CASES, key=place), key=place)
    }
    # The error budget is judged by what the rules on traffic record.
    needed = {"error-budget": ["traffic", "error-budget"]}
    by_name = {group.name: group.document() for group in GROUPS}
    rules = {
        f"{name}.yml": yaml.safe_dump({"groups": [by_name[other] for other in needed.get(name, [name])]})
        for name in by_name
    }
    files = {"all.yml": rules_file(SETTINGS, SECRETS_MADE), **rules, **tests}
    volume = engine.files(prometheus_image, {name: File(text) for name, text in files.items()})
    names = " ".join(f"/rules/{name}" for name in tests)
    script = f"promtool check rules /rules/all.yml 2>&1; promtool test rules {names} 2>&1 || true"
    said = engine.output(prometheus_image, ["bash", "-c", script], volume=f"{volume.name}:/rules:ro")
    assert f"SUCCESS: {sum(len(group.rules) for group in GROUPS)} rules found" in said, said
    assert said.count("SUCCESS") == len(tests) + 1, said
    assert "FAILED" not in said, said


def test_the_queries_of_the_dashboard_are_valid(engine: Engine, prometheus_image: str) -> None:
    dashboard = json.loads((ROOT / "docs" / "grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    assert len(queries) > 20
    # promtool has no command for a query, but a rule holds one.
    recorded = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    document = yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]})
    volume = engine.files(prometheus_image, {"queries.yml": File(document)})
    command = ["promtool", "check", "rules", "/rules/queries.yml"]
    said = engine.output(prometheus_image, command, volume=f"{volume.name}:/rules:ro")
    assert f"SUCCESS: {len(queries)} rules found" in said
    recorded_by_us = {rule.name for group in GROUPS for rule in group.rules if isinstance(rule, Recording)}
    for query in queries:
        assert set(re.findall(r"medianest:[a-z_]+:\w+", query)) <= recorded_by_us, query
