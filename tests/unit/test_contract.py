"""docs/contract.md is what the rooms share: the code has to say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pulumi

import guardian.labels
import guardian.settings
from components import backend, gateway, labels, postgres, redis
from components import guardian as guardian_component
from components.gateway_configuration import INTERNAL_PORT, PUBLIC_PORT
from components.monitoring import alertmanager, exporters, prometheus
from components.monitoring.rules import rule_groups
from components.monitoring.rules.model import Alert, Recording
from components.monitoring.scraping import ALERTMANAGER_PORT, GUARDIAN_PORT, PROMETHEUS_PORT
from components.settings import (
    GUARDIAN_TOKEN,
    BackendSettings,
    EngineSettings,
    GatewaySettings,
    GuardianSettings,
    HealthSettings,
    StackSettings,
)
from ops import soak
from ops.releases.records import FAILED, NOT_VERIFIED, UNVERIFIED, VERIFIED, Record, tag_name
from ops.soak_report import Patience
from tests.unit.components.mocked_engine import declare, mocked

ROOT = Path(__file__).parents[2]
CONTRACT = (ROOT / "docs" / "contract.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = CONTRACT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_labels() -> None:
    documented = {name for row in rows("Labels") for name in names(row[0])}
    assert documented == {
        labels.PROJECT,
        labels.OWNER,
        labels.STACK,
        labels.COMPONENT,
        labels.RELEASE,
        labels.EXPIRES,
        labels.PORT,
        labels.BASE,
        labels.HOME,
        labels.PULL_REQUEST,
        labels.SINCE,
        labels.SCHEMA,
        labels.SCHEMA_SERVES,
    }


def test_networks() -> None:
    pulumi.runtime.set_all_config({"medianest:alert_webhook_url": "https://example.org/"})
    try:
        with mocked() as engine:
            # The engine of whoever runs this may have no socket here.
            declare(StackSettings(guardian=GuardianSettings(engine=EngineSettings(socket_group=4321))))
    finally:
        pulumi.runtime.set_all_config({})
    aliases: dict[str, set[str]] = {}
    for container in engine.of("Container").values():
        for network in container.get("networksAdvanced") or ():
            aliases.setdefault(network["name"], set()).update(network["aliases"])
    table = rows("Networks and names inside a stack")
    assert {row[0].split()[0]: set(names(row[2])) for row in table} == aliases


def test_the_guardians_labels_are_those_of_the_components() -> None:
    own = {name: value for name, value in vars(guardian.labels).items() if name.isupper()}
    assert own == {name: getattr(labels, name) for name in own}


def test_the_guardians_files_and_ports() -> None:
    defaults = guardian.settings.Settings("stack", "owner")
    assert defaults.port == GUARDIAN_PORT
    assert defaults.engine == f"http://engine-proxy:{guardian_component.PROXY_PORT}"
    assert str(defaults.directory) == guardian_component.MEMORY
    assert defaults.webhook_file.name == guardian_component.WEBHOOK_FILE
    assert defaults.token_file.name == GUARDIAN_TOKEN
    documented = {name for row in rows("Files") if row[1] == "guardian" for name in names(row[0])}
    assert documented == {str(defaults.token_file), str(defaults.webhook_file)}


def test_metrics_of_the_guardian() -> None:
    text = (ROOT / "guardian" / "metrics.py").read_text()
    documented = [name for row in rows("Metrics of the guardian") for name in names(row[0])]
    assert {name.removesuffix("_total") for name in documented} == set(
        re.findall(r'"(medianest_(?:container|guardian)_[a-z_]+)"', text)
    )


def test_the_default_backends_healing_endpoints() -> None:
    text = (ROOT / "app" / "medianest" / "internal.py").read_text()
    healing = BackendSettings().healing
    assert f'RESTART_WORKERS, STACK = "{healing.restart_workers}", "{healing.stack_dump}"' in text


def test_the_default_backends_schema() -> None:
    root = ROOT / BackendSettings().build.context
    text = (root / BackendSettings().build.dockerfile).read_text()
    carried = {name: int(number) for name, number in re.findall(r'(medianest\.schema[.a-z]*)="(\d+)"', text)}
    assert set(carried) == {labels.SCHEMA, labels.SCHEMA_SERVES}
    newest = max(path.name for path in (root / "medianest" / "migrations").glob("*.sql"))
    assert carried[labels.SCHEMA] == int(newest.split("_")[0])
    assert 1 <= carried[labels.SCHEMA_SERVES] <= carried[labels.SCHEMA]


def test_tags() -> None:
    ((tag, value),) = rows("Tags of a stack")
    assert names(tag) == [tag_name("medianest", "<id>")]
    assert set(names(value)) - {VERIFIED, NOT_VERIFIED, FAILED, UNVERIFIED} == set(
        Record.__dataclass_fields__
    )


def test_users_and_ports_of_the_images() -> None:
    table = {row[0].split("/")[1].split(":")[0]: row for row in rows("Images")}
    assert table["postgres"][2] == postgres.USER
    assert table["redis"][2] == redis.USER
    assert table["gateway"][2] == gateway.USER
    assert table["guardian"][2] == guardian_component.USER
    assert table["guardian"][3] == f"{GUARDIAN_PORT}, {guardian_component.PROXY_PORT}"
    assert table["gateway"][3] == f"{PUBLIC_PORT}, {INTERNAL_PORT} (metrics)"
    assert table["prometheus"][2:4] == [prometheus.USER, str(PROMETHEUS_PORT)]
    assert table["alertmanager"][2:4] == [alertmanager.USER, str(ALERTMANAGER_PORT)]
    assert table["exporters"][2] == exporters.USER
    assert table["backend"][2] == f"a setting, {BackendSettings().user}"
    assert table["backend"][3] == f"a setting, {BackendSettings().port}"


def test_the_images_run_as_their_users() -> None:
    users = {
        "postgres": postgres.USER,
        "redis": redis.USER,
        "gateway": gateway.USER,
        "prometheus": prometheus.USER,
        "alertmanager": alertmanager.USER,
        "exporters": exporters.USER,
    }
    for service, user in users.items():
        text = (ROOT / "images" / service / "Dockerfile").read_text()
        assert re.search(rf"^USER {user}(:{user})?$", text, re.M), service


def test_the_guardians_image_runs_as_its_user() -> None:
    text = (ROOT / "guardian" / "Dockerfile").read_text()
    user = guardian_component.USER
    assert f"\nUSER {user}:{user}\n" in text
    assert f"--uid {user} " in text


def test_the_backends_environment() -> None:
    documented = {
        name
        for row in rows("Environment")
        if row[1] == "backend"
        for name in names(row[0])
        if "<" not in name
    }
    # RELEASE is set with the container, DOCS by those who want it.
    assert documented - {"RELEASE", "DOCS"} == set(
        backend.environment("s", BackendSettings(secrets={}), guarded=True)
    )


def test_secret_files_are_where_the_environment_says() -> None:
    documented = {name for row in rows("Files") if row[1] == "backend" for name in names(row[0])}
    variables = backend.environment("s", BackendSettings(secrets={}), guarded=True)
    assert {value for key, value in variables.items() if key.endswith("_FILE")} <= documented


def test_no_file_is_listed_twice() -> None:
    listed = [(name, row[1]) for row in rows("Files") for name in names(row[0])]
    assert len(listed) == len(set(listed))


def test_the_default_backends_volumes() -> None:
    documented = [(names(row[0])[0], names(row[1])[0]) for row in rows("Volumes of the default backend")]
    defaults = BackendSettings()
    assert [(volume.name, volume.path) for volume in defaults.volumes] == documented
    text = (ROOT / defaults.build.context / defaults.build.dockerfile).read_text()
    for _, path in documented:
        assert f"install -d -o {defaults.user} -g {defaults.user} -m 0750 {path}\n" in text


def test_endpoints() -> None:
    documented = [name for row in rows("Endpoints of a backend") for name in names(row[0])]
    assert {name.removeprefix("health.") for name in documented if name.startswith("health.")} <= set(
        HealthSettings.model_fields
    )
    assert GatewaySettings().internal_paths == names(rows("Endpoints of a backend")[-1][0])[1:]


def test_what_a_soak_check_is_told() -> None:
    values = {name: names(row[1]) for row in rows("Soak checks")[:3] for name in names(row[0])}
    assert set(values) == {"SOAK_MINUTES", "TARGET_URL", "BACKEND_HOST", "BACKEND_PORT"}
    assert values["TARGET_URL"] == [soak.TARGET_URL] == [f"http://gateway:{PUBLIC_PORT}"]
    assert values["BACKEND_HOST"] == [soak.BACKEND_HOST]
    assert f"within {Patience(0).stop:.0f} s" in CONTRACT


def test_what_the_soak_checks_read() -> None:
    metric = r"(?:process|medianest)_\w+"
    section = CONTRACT.split("## Soak checks\n", 1)[1].split("\n## ", 1)[0]
    code = "".join(path.read_text() for path in (ROOT / "app/medianest/soak").glob("*.py"))
    assert set(re.findall(f"`({metric})", section)) == set(re.findall(f'"({metric})"', code))


def test_outputs() -> None:
    program = (ROOT / "__main__.py").read_text()
    exported = set(re.findall(r'pulumi\.export\(\s*"(\w+)"', program))
    assert {name for row in rows("Outputs of a stack") for name in names(row[0])} == exported


def test_metrics_of_the_backend() -> None:
    """By the text, since the backend's dependencies are in its image alone."""
    text = (ROOT / "app" / "medianest" / "metrics.py").read_text()
    documented = [name for row in rows("Metrics of the backend") for name in names(row[0])]
    assert len(documented) == len(set(documented))
    assert set(documented) == set(re.findall(r'"(medianest_[a-z_]+)"', text))


def test_what_the_rules_read_is_there() -> None:
    text = "".join(rule.expression for group in rule_groups(StackSettings(), {}) for rule in group.rules)
    told = {
        name.removesuffix("_bucket")
        for heading in ("Metrics of the backend", "Metrics of the guardian", "Figures that the rules record")
        for row in rows(heading)
        for name in names(row[0])
    }
    read = {name.removesuffix("_bucket") for name in re.findall(r"medianest[_:][a-z0-9_:]+", text)}
    assert read <= told


def test_what_the_rules_record() -> None:
    groups = rule_groups(StackSettings(), {"jwt_secret": "2026-01-01T00:00:00+00:00"})
    recorded = {rule.name for group in groups for rule in group.rules if isinstance(rule, Recording)}
    assert {name for row in rows("Figures that the rules record") for name in names(row[0])} == recorded


def test_labels_of_alerts() -> None:
    documented = {name for row in rows("Alerts") for name in names(row[0])}
    document = Alert("X", "warning", "c", "none", "1", "s", container=True).document()
    assert documented == {*document["labels"], *document["annotations"]}
