from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from components.settings import (
    COMPONENT_KEYS,
    SettingsError,
    StackSettings,
    check_secret,
    check_stack_name,
    load,
)

ROOT = Path(__file__).parents[3]


def problems_of(configuration: dict[str, object], secret_keys: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load("medianest", configuration, secret_keys)
    return refused.value.problems


def test_no_configuration_is_the_default_backend() -> None:
    settings = load("medianest", {}, ())
    assert settings == StackSettings()
    assert settings.backend.build.context == "app"


def test_an_object_may_come_as_the_json_text_that_pulumi_hands_to_a_program() -> None:
    as_text = load("medianest", {"medianest:backend": '{"replicas": 3}'}, ())
    as_object = load("medianest", {"medianest:backend": {"replicas": 3}}, ())
    assert as_text == as_object
    assert as_text.backend.replicas == 3


def test_the_tracked_staging_settings_are_valid() -> None:
    tracked = yaml.safe_load((ROOT / "Pulumi.staging.yaml").read_text())
    settings = load("medianest", tracked["config"], ())
    assert settings.backend.replicas == 2
    assert "demo_password" in settings.backend.secrets


def test_the_tracked_staging_settings_hold_settings_only() -> None:
    # As committed: plain Pulumi writes the salt of its passphrase into the file in the checkout.
    show = ["git", "show", "HEAD:Pulumi.staging.yaml"]
    committed = subprocess.run(show, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(yaml.safe_load(committed)) == {"config"}
    assert "secure" not in committed


def test_every_component_has_its_key() -> None:
    # What the pinned release does not know is worked out, not set.
    assert set(StackSettings.model_fields) - {"idle"} == COMPONENT_KEYS


def test_keys_of_other_namespaces_are_left_alone() -> None:
    assert load("medianest", {"docker:host": "ssh://host", "pulumi:autonaming": {}}, ()) == StackSettings()


@pytest.mark.parametrize(
    ("configuration", "problem"),
    [
        ({"medianest:bakend": {}}, "setting bakend is not known"),
        ({"medianest:backend": {"replica": 2}}, "setting backend.replica is not known"),
        (
            {"medianest:backend": {"replicas": "2"}},
            "setting backend.replicas: input should be a valid integer",
        ),
        ({"medianest:backend": {"replicas": 0}}, "setting backend.replicas: input should be greater"),
        ({"medianest:backend": "two"}, "setting backend must be an object"),
        ({"medianest:gateway": {"port": 70000}}, "setting gateway.port: input should be less"),
        ({"medianest:gateway": {"address": "0.0.0.0"}}, "0.0.0.0 is every address of the host"),
        ({"medianest:gateway": {"address": "::"}}, ":: is every address of the host"),
        ({"medianest:gateway": {"address": "localhost"}}, "'localhost' is no IP address"),
        ({"medianest:backend": {"build": {"context": "../x"}}}, "must be a path below the project's root"),
        ({"medianest:backend": {"build": {"context": "/etc"}}}, "must be a path below the project's root"),
        ({"medianest:backend": {"user": "0"}}, "setting backend.user"),
        ({"medianest:backend": {"user": "app"}}, "setting backend.user"),
        ({"medianest:backend": {"environment": {"JWT_SECRET": "x"}}}, "JWT_SECRET is a secret"),
        ({"medianest:backend": {"secrets": {"Bad-Name": {}}}}, "is not a secret's name"),
        ({"medianest:backend": {"secrets": {"database_url": {}}}}, "is taken by the toolkit"),
        ({"medianest:backend": {"secrets": {"gateway": {}}}}, "is taken by the toolkit"),
        ({"medianest:redis": {"maxmemory_policy": "random"}}, "setting redis.maxmemory_policy"),
        ({"medianest:postgres": {"user": "a; drop"}}, "setting postgres.user"),
        ({"medianest:backend": {"limits": {"cpus": 0.25}}}, "setting backend.limits.cpus"),
    ],
)
def test_a_bad_setting_is_named_with_what_is_wrong(configuration: dict[str, object], problem: str) -> None:
    found = problems_of(configuration)
    assert len(found) == 1
    assert problem in found[0]


def test_all_problems_are_told_at_once() -> None:
    found = problems_of({"medianest:backend": {"replicas": 0, "port": 0}, "medianest:nothing": 1})
    assert len(found) == 3


def test_a_secret_in_plain_text_is_refused_without_its_value() -> None:
    (problem,) = problems_of({"medianest:jwt_secret": "hunter2hunter2hunter2"})
    assert "plain text" in problem
    assert "--secret" in problem
    assert "hunter2" not in problem


def test_a_team_may_set_the_secrets_that_are_declared() -> None:
    configuration = {"medianest:jwt_secret": "x" * 40, "medianest:postgres_password": "y" * 40}
    assert load("medianest", configuration, list(configuration)) == StackSettings()


def test_a_secret_that_nobody_reads_is_refused() -> None:
    (problem,) = problems_of({"medianest:stripe_key": "x" * 40}, ("medianest:stripe_key",))
    assert "stripe_key is not known" in problem


def test_an_encrypted_setting_is_refused() -> None:
    (problem,) = problems_of({"medianest:backend": "{}"}, ("medianest:backend",))
    assert "is encrypted" in problem


def test_a_short_secret_is_refused_without_its_value() -> None:
    check_secret("jwt_secret", "a" * 32, 32)
    with pytest.raises(SettingsError, match="jwt_secret is too short") as refused:
        check_secret("jwt_secret", "hunter2", 32)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["staging", "pr-12", "a1"])
def test_stack_names_that_can_be_used(name: str) -> None:
    check_stack_name(name)


@pytest.mark.parametrize("name", ["", "a", "Staging", "-x", "x-", "a/b", "../x", "a b", "x" * 41, "ab\n"])
def test_stack_names_that_cannot_be_used(name: str) -> None:
    with pytest.raises(SettingsError, match="stack name"):
        check_stack_name(name)
