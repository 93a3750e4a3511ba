"""What a stack declares, seen from the engine's side of Pulumi."""

from __future__ import annotations

import json
import re
from typing import Any

import pulumi
import pulumi_docker as docker
import pytest

from components.guardian import DASHBOARD_PORT
from components.hardening.declared import document_of
from components.hardening.kinds import ENGINE_PROXY, LOADER, SERVICE, HardeningError, broken_by_declaration
from components.secret_files import VERSION_LABEL
from components.settings import (
    BackendSettings,
    BuildSettings,
    DashboardSettings,
    EngineSettings,
    GatewaySettings,
    GuardianSettings,
    LeaseSettings,
    LimitSettings,
    MonitoringSettings,
    PinnedImage,
    PinSettings,
    SecretSettings,
    StackSettings,
    VolumeSettings,
)
from guardian import settings as guardian_settings
from tests.unit.components.mocked_engine import Engine, declare, mocked, settle

DATA = ("postgres", "redis")
SERVICES = ("gateway", "backend-0", "backend-1", "backend-2")
WATCHING = (
    *("prometheus", "alertmanager", "postgres-exporter", "redis-exporter", "node-exporter"),
    *("engine-proxy", "guardian"),
)
SETTINGS = StackSettings(
    backend=BackendSettings(
        replicas=3,
        limits=LimitSettings(memory_mb=321, cpus=0.5, pids=77),
        volumes=[VolumeSettings(name="media", path="/var/media")],
    ),
    gateway=GatewaySettings(port=4001, address="127.0.0.9"),
    guardian=GuardianSettings(engine=EngineSettings(socket="/run/engine.sock", socket_group=4321)),
)


@pytest.fixture(scope="module")
def engine() -> Engine:
    with mocked() as engine:
        declare(SETTINGS)
    return engine


def containers(engine: Engine) -> dict[str, dict[str, Any]]:
    return {name: item for name, item in engine.of("Container").items() if "loader" not in name}


def labels_of(inputs: dict[str, Any]) -> dict[str, str]:
    return {item["label"]: item["value"] for item in inputs["labels"]}


def test_a_stack_is_a_gateway_backends_postgres_and_redis_and_what_watches_them(engine: Engine) -> None:
    assert set(containers(engine)) == {*SERVICES, *DATA, *WATCHING}


def test_a_stack_that_is_not_watched_has_nothing_of_it() -> None:
    with mocked() as unwatched:
        declare(StackSettings(monitoring=MonitoringSettings(enabled=False)))
    assert set(containers(unwatched)) == {"gateway", "backend-0", *DATA}
    assert set(unwatched.of("Network")) == {"public", "data"}
    resources = [item.name for item in unwatched.declared if item.type.endswith(":Resource")]
    assert not any("monitoring" in name or "guardian" in name for name in resources)
    assert not any(name.startswith(("prometheus", "alertmanager")) for name in unwatched.of("Volume"))
    assert "guardian-image" not in unwatched.of("RemoteImage")
    assert not any("GUARDIAN" in variable for variable in containers(unwatched)["backend-0"]["envs"])


def test_only_the_engine_proxy_has_the_engines_socket_and_only_the_guardian_reaches_it(
    engine: Engine,
) -> None:
    shared = {
        name: [(mount["source"], mount["target"]) for mount in inputs["mounts"] if mount["type"] != "volume"]
        for name, inputs in containers(engine).items()
        if inputs.get("mounts")
    }
    socket = ("/run/engine.sock", "/var/run/docker.sock")
    assert {name: mounts for name, mounts in shared.items() if mounts} == {"engine-proxy": [socket]}
    proxy = containers(engine)["engine-proxy"]
    assert (proxy["user"], proxy["groupAdds"]) == ("998", ["4321"])
    assert [item["name"] for item in proxy["networksAdvanced"]] == ["engine"]
    on_it = {
        name
        for name, inputs in containers(engine).items()
        if "engine" in [item["name"] for item in inputs["networksAdvanced"]]
    }
    assert on_it == {"engine-proxy", "guardian"}
    assert engine.of("Network")["engine"]["internal"] is True


def test_the_guardian_is_told_what_it_understands(engine: Engine) -> None:
    """Its room and this one share no code: this is where they meet."""
    variables = dict(item.split("=", 1) for item in containers(engine)["guardian"]["envs"])
    found = guardian_settings.read(variables)
    assert found.stack == "staging"
    assert found.owner == "0123456789ab"
    assert found.network == "public"
    assert found.backend_port == 3000
    assert found.restart_workers == "/internal/workers/restart"
    assert found.budget_seconds == 600
    assert str(found.token_file) == "/run/secrets/guardian_token"


def test_the_dashboard_is_published_where_the_settings_say_and_nowhere_else(engine: Engine) -> None:
    assert not containers(engine)["guardian"].get("ports")
    variables = dict(item.split("=", 1) for item in containers(engine)["guardian"]["envs"])
    assert guardian_settings.read(variables).dashboard_port == 0
    dashboard = DashboardSettings(address="127.0.0.9", port=4100)
    with mocked() as published:
        declare(
            StackSettings(guardian=GuardianSettings(engine=SETTINGS.guardian.engine, dashboard=dashboard))
        )
    found = containers(published)["guardian"]
    assert found["ports"] == [{"internal": DASHBOARD_PORT, "external": 4100, "ip": "127.0.0.9"}]
    told = guardian_settings.read(dict(item.split("=", 1) for item in found["envs"]))
    # Never the port where its webhook and its figures are.
    assert told.dashboard_port == DASHBOARD_PORT != told.port
    assert str(told.dashboard_password_file) == "/run/secrets/dashboard_password"


def test_everything_carries_the_constant_labels(engine: Engine) -> None:
    resources = {**engine.of("Container"), **engine.of("Volume"), **engine.of("Network")}
    assert len(resources) > 10
    for name, inputs in resources.items():
        labels = labels_of(inputs)
        assert labels["medianest.project"] == "medianest", name
        assert labels["medianest.stack"] == "staging", name
        assert labels["medianest.owner"] == "0123456789ab", name
        assert labels["medianest.component"], name


def test_only_backends_carry_the_release(engine: Engine) -> None:
    with_release = {
        name for name, inputs in engine.of("Container").items() if "medianest.release" in labels_of(inputs)
    }
    assert with_release == {"backend-0", "backend-1", "backend-2"}


def test_no_secret_is_in_an_environment_a_command_or_a_label(engine: Engine) -> None:
    for name, inputs in engine.of("Container").items():
        seen = json.dumps([inputs.get("envs"), inputs.get("command"), inputs.get("labels")])
        assert "value-of-" not in seen, name


def test_secrets_are_files_of_the_user_that_reads_them(engine: Engine) -> None:
    loaders = {name: inputs for name, inputs in engine.of("Container").items() if "secrets-loader" in name}
    owners = {
        "backend-secrets-loader": "1001",
        "postgres-secrets-loader": "999",
        "redis-secrets-loader": "999",
        "postgres-exporter-secrets-loader": "9100",
        "redis-exporter-secrets-loader": "9100",
        "alertmanager-secrets-loader": "9093",
        "guardian-secrets-loader": "998",
    }
    assert set(loaders) == set(owners)
    for name, inputs in loaders.items():
        uploads = inputs["uploads"]["value"] if "value" in inputs["uploads"] else inputs["uploads"]
        assert uploads, name
        for upload in uploads:
            assert upload["file"].startswith("/run/secrets/")
            assert upload["permissions"] == "0400"
            assert upload["owner"] == owners[name]


def test_a_consumer_mounts_its_own_secrets_only(engine: Engine) -> None:
    for name in ("backend-0", "postgres", "redis", "alertmanager", "postgres-exporter", "redis-exporter"):
        (mount,) = (
            mount for mount in containers(engine)[name]["mounts"] if mount["target"] == "/run/secrets"
        )
        assert mount["readOnly"] is True
        assert mount["source"] == f"{name.removesuffix('-0')}-secrets"
    for name in ("gateway", "prometheus", "node-exporter"):
        mounts = containers(engine)[name].get("mounts") or []
        assert all(mount["target"] != "/run/secrets" for mount in mounts), name


def test_a_secret_that_the_team_takes_back_goes_with_its_volume(engine: Engine) -> None:
    """Files are written into a volume and never taken out of it."""
    pulumi.runtime.set_all_config({"medianest:alert_webhook_url": "https://example.org/"})
    try:
        with mocked() as told:
            declare(SETTINGS)
    finally:
        pulumi.runtime.set_all_config({})

    def volumes(engine: Engine) -> dict[str, str | None]:
        found = {
            name: labels_of(item).get(VERSION_LABEL)
            for name, item in engine.of("Volume").items()
            if name.endswith("-secrets")
        }
        assert found.keys() >= {"postgres-secrets", "backend-secrets", "guardian-secrets"}
        return found

    with_it, without = volumes(told), volumes(engine)
    assert {name for name in with_it if with_it[name] != without[name]} == {
        "guardian-secrets",
        "alertmanager-secrets",
    }


def test_only_the_gateway_publishes_a_port(engine: Engine) -> None:
    published = {name: inputs["ports"] for name, inputs in containers(engine).items() if inputs.get("ports")}
    assert published == {"gateway": [{"internal": 8080, "external": 4001, "ip": "127.0.0.9"}]}


def test_networks_are_as_few_as_they_can_be(engine: Engine) -> None:
    assert engine.of("Network")["data"]["internal"] is True
    assert engine.of("Network")["monitoring"]["internal"] is True
    assert not engine.of("Network")["public"].get("internal")
    for name, networks in {
        "postgres": ["data"],
        "redis": ["data"],
        "gateway": ["public"],
        "backend-0": ["public", "data"],
        "prometheus": ["monitoring", "public"],
        "alertmanager": ["monitoring"],
        "postgres-exporter": ["monitoring", "data"],
        "redis-exporter": ["monitoring", "data"],
        "node-exporter": ["monitoring"],
    }.items():
        assert [item["name"] for item in containers(engine)[name]["networksAdvanced"]] == networks, name


def test_limits_are_those_of_the_settings(engine: Engine) -> None:
    backend = containers(engine)["backend-0"]
    assert (backend["memory"], backend["memorySwap"], backend["cpus"]) == (321, 321, "0.5")
    processes = next(item.inputs for item in engine.declared if item.name == "backend-0-processes")
    assert processes["limit"] == 77
    assert processes["container"] == "id-backend-0"


def test_a_backends_volume_is_mounted_where_it_says(engine: Engine) -> None:
    for name in ("backend-0", "backend-1"):
        mounts = {mount["target"]: mount["source"] for mount in containers(engine)[name]["mounts"]}
        assert mounts["/var/media"] == "backend-media"


def test_every_declared_container_keeps_the_rules(engine: Engine) -> None:
    for name, inputs in engine.of("Container").items():
        # The engine gets the names of the provider's schema, the rules those of Python.
        properties = {re.sub("(?<!^)[A-Z]", r"_\g<0>", key).lower(): value for key, value in inputs.items()}
        kind = LOADER if name.endswith("-loader") else ENGINE_PROXY if name == "engine-proxy" else SERVICE
        document = document_of(properties)
        assert [rule.name for rule in broken_by_declaration(kind, document)] == [], name


def test_an_image_is_named_by_stack_and_content(engine: Engine) -> None:
    image = engine.of("RemoteImage")["backend-image"]
    content = image["triggers"]["content"]
    assert image["name"] == f"medianest/backend:staging-{content}"
    assert image["build"]["tags"] == ["medianest/backend:staging"]
    assert image["build"]["context"] == "app"
    assert all(item["keepLocally"] for item in engine.of("RemoteImage").values())


def test_a_pinned_release_is_what_runs_and_nothing_newer_is_lost() -> None:
    then = BackendSettings(environment={"LEVEL": "old"}, volumes=[])
    today = BackendSettings(
        build=BuildSettings(dockerfile="Nothing"),
        secrets={**then.secrets, "signing_key": SecretSettings()},
        volumes=[VolumeSettings(name="media", path="/media")],
    )
    image = PinnedImage(name="medianest/backend:staging-0123456789ab", id=f"sha256:{'1' * 64}")
    pin = PinSettings(
        release="a87f19a5abde", since="today", image=image, content="0123456789ab", settings=then
    )
    with mocked() as pinned:
        declare(StackSettings(backend=today, pin=pin).pinned())
    assert "backend-image" not in pinned.of("RemoteImage")
    backend = containers(pinned)["backend-0"]
    assert backend["image"] == image.id
    assert labels_of(backend)["medianest.release"] == "a87f19a5abde"
    assert {"LEVEL=old", "RELEASE=a87f19a5abde"} <= set(backend["envs"])
    assert "backend-media" in pinned.of("Volume")
    assert [mount["target"] for mount in backend["mounts"]] == ["/run/secrets"]
    assert "signing_key" in {item.name for item in pinned.declared}
    (uploads,) = (
        item["uploads"] for name, item in pinned.of("Container").items() if name.startswith("backend-s")
    )
    assert "signing_key" not in json.dumps(uploads)


def test_a_lease_is_one_empty_volume_that_says_until_when() -> None:
    lease = LeaseSettings(
        expires="2026-11-25T15:00:00Z", base="staging", home="me@here:/s", url="u", pull_request=17
    )
    with mocked() as leased:
        declare(StackSettings(lease=lease, gateway=GatewaySettings(port=4001)))
    labels = labels_of(leased.of("Volume")["lease"])
    assert {
        name: labels[f"medianest.{name}"] for name in ("component", "expires", "port", "pull-request")
    } == {
        "component": "lease",
        "expires": "2026-11-25T15:00:00Z",
        "port": "4001",
        "pull-request": "17",
    }
    others = {**leased.of("Container"), **leased.of("Volume"), **leased.of("Network")}
    del others["lease"]
    assert not any("medianest.expires" in labels_of(inputs) for inputs in others.values())
    mounted = [mount for item in containers(leased).values() for mount in item.get("mounts") or ()]
    assert "lease" not in {mount["source"] for mount in mounted}


def test_a_long_lived_stack_has_no_lease(engine: Engine) -> None:
    assert "lease" not in engine.of("Volume")


def test_shared_images_belong_to_no_stack(engine: Engine) -> None:
    for service in ("postgres", "redis", "gateway", "prometheus", "alertmanager", "exporters"):
        image = engine.of("RemoteImage")[f"{service}-image"]
        assert image["build"]["label"] == {"medianest.component": service}


def test_a_dockerfile_that_is_not_there_is_named() -> None:
    settings = StackSettings.model_validate({"backend": {"build": {"dockerfile": "Nothing"}}})
    with mocked(), pytest.raises(FileNotFoundError, match="app/Nothing"):
        declare(settings)


def test_a_container_that_is_not_hardened_is_refused() -> None:
    with mocked() as empty:
        with pytest.raises(HardeningError, match="container loose breaks: numeric non-root user"):
            docker.Container("loose", image="sha256:0", name="loose")
        settle()
        assert empty.of("Container") == {}
