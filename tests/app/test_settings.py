import pytest
from medianest.settings import Settings, SettingsError


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = Settings.from_environment({})
    assert (settings.port, settings.drain_seconds, settings.demo_user) == (3000, 15, None)
    assert not settings.docs


def test_the_environment_wins() -> None:
    environment = {
        "PORT": "8080",
        "DRAIN_SECONDS": "30",
        "STACK": "staging",
        "RELEASE": "1a2b",
        "DOCS": "true",
    }
    assert Settings.from_environment(environment | {"DEMO_USER": "demo"}) == Settings(
        port=8080, drain_seconds=30, stack="staging", release="1a2b", demo_user="demo", docs=True
    )


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("PORT", "http", "PORT must be a whole number from 1 to 65535, not 'http'"),
        ("PORT", "0", "PORT must be a whole number from 1 to 65535, not '0'"),
        ("PORT", "65536", "PORT must be a whole number from 1 to 65535, not '65536'"),
        ("DRAIN_SECONDS", "-1", "DRAIN_SECONDS must be a whole number from 1 to 600, not '-1'"),
        ("DRAIN_SECONDS", "1.5", "DRAIN_SECONDS must be a whole number from 1 to 600, not '1.5'"),
        ("DOCS", "perhaps", "DOCS must be true or false, not 'perhaps'"),
        ("DEMO_USER", "two words", "DEMO_USER must be 1 to 64 letters, digits or . _ @ + -"),
    ],
)
def test_an_unusable_variable_is_named(variable: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({variable: value})
    assert str(caught.value) == message
