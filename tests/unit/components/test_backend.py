from __future__ import annotations

from components.backend import environment, probe, release_id
from components.settings import (
    BackendSettings,
    HealthSettings,
    SecretSettings,
    StackSettings,
    VerificationSettings,
)


def test_the_same_inputs_are_the_same_release() -> None:
    assert release_id("image", BackendSettings(), "v1") == release_id("image", BackendSettings(), "v1")


def test_image_settings_and_secrets_each_make_another_release() -> None:
    releases = {
        release_id("image", BackendSettings(), "v1"),
        release_id("other", BackendSettings(), "v1"),
        release_id("image", BackendSettings(port=4000), "v1"),
        release_id("image", BackendSettings(), "v2"),
    }
    assert len(releases) == 4


def test_the_number_of_replicas_is_no_part_of_a_release() -> None:
    assert release_id("image", BackendSettings(replicas=1), "v") == release_id(
        "image", BackendSettings(replicas=5), "v"
    )


def test_how_a_stack_is_checked_is_no_part_of_a_release() -> None:
    checked = StackSettings(verification=VerificationSettings(soak={"mine": ["check"]}))
    assert release_id("image", checked.backend, "v") == release_id("image", StackSettings().backend, "v")


def test_secrets_reach_the_environment_as_names_of_files() -> None:
    settings = BackendSettings(secrets={"stripe_key": SecretSettings()}, environment={"LOG": "debug"})
    assert environment("staging", settings) == {
        "PORT": "3000",
        "DRAIN_SECONDS": "15",
        "STACK": "staging",
        "DATABASE_URL_FILE": "/run/secrets/database_url",
        "REDIS_URL_FILE": "/run/secrets/redis_url",
        "STRIPE_KEY_FILE": "/run/secrets/stripe_key",
        "LOG": "debug",
    }


def test_the_probe_asks_for_readiness_unless_a_command_is_set() -> None:
    assert probe(BackendSettings(port=8000)).command == ["http-probe", "8000", "/api/health/ready"]
    own = BackendSettings(health=HealthSettings(command=["/bin/check"], interval_seconds=5))
    assert probe(own).command == ["/bin/check"]
    assert probe(own).interval == 5
