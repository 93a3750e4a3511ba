"""docs/monitoring.md tells of the alerts that there are, and of no others."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from components.monitoring.rules import alerts, rule_groups
from components.settings import Levels, LevelsDown, StackSettings, load

GUIDE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text()
ALERTS = alerts(rule_groups(StackSettings(), {}))
NONE = "\N{EN DASH}"


def rows() -> dict[str, list[str]]:
    """The cells of the table of alerts, by the alert's name."""
    section = GUIDE.split("## Alerts\n", 1)[1].split("\n### ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| [")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0][1:].split("]")[0]: row for row in table}


def test_every_alert_has_a_row_with_its_levels() -> None:
    told = {
        (name, severity)
        for name, row in rows().items()
        for severity, cell in zip(("warning", "critical"), row[1:3], strict=True)
        if cell != NONE
    }
    assert told == {(alert.name, alert.severity) for alert in ALERTS}


def test_every_alert_has_its_component_and_what_happens_by_itself() -> None:
    for name, row in rows().items():
        ours = [alert for alert in ALERTS if alert.name == name]
        actions = set(re.findall(r"restart-workers|restart|investigate|page|none", row[4]))
        assert actions == {alert.action for alert in ours}, name
        if not row[3].startswith("each "):
            assert {alert.component for alert in ours} == {row[3]}, name


def test_every_alert_has_a_section_where_its_runbook_points_to() -> None:
    headings = re.findall(r"^### (\w+)$", GUIDE, re.M)
    assert headings == list(rows())
    for name in headings:
        section = GUIDE.split(f"### {name}\n", 1)[1].split("\n#", 1)[0]
        assert len(section.split()) >= 15, name
        assert f"[{name}](#{name.lower()})" in GUIDE


def test_the_levels_are_the_defaults() -> None:
    defaults, table = StackSettings().monitoring.alerts, rows()
    levels_of: dict[str, Levels | LevelsDown] = {
        "ErrorRateHigh": defaults.error_percent,
        "WorkerFailures": defaults.worker_failures,
        "PostgresConnectionsHigh": defaults.connections_percent,
        "DiskSpaceLow": defaults.disk_free_percent,
        "HostMemoryLow": defaults.host_memory_free_percent,
        "ContainerRestartLoop": defaults.restarts,
    }
    for name, levels in levels_of.items():
        figures = [float(re.findall(r"[\d.]+", cell)[0]) for cell in table[name][1:3]]
        assert figures == [levels.warning, levels.critical], name


def test_the_settings_it_shows_are_valid() -> None:
    (block,) = re.findall(r"```yaml\n(config:\n.*?)```", GUIDE, re.DOTALL)
    assert load("medianest", yaml.safe_load(block)["config"], ()).monitoring.email is not None
