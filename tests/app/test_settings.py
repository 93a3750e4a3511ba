import pytest
from medianest.settings import Settings, SettingsError


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = Settings.from_environment({})
    assert (settings.port, settings.drain_seconds, settings.demo_user) == (3000, 15, None)
    assert not settings.docs
    assert (settings.workers, settings.worker_memory_mb) == (None, 100)


def test_the_number_of_workers_and_their_memory_can_be_set() -> None:
    settings = Settings.from_environment({"WORKERS": "3", "WORKER_MEMORY_MB": "256"})
    assert (settings.workers, settings.worker_memory_mb) == (3, 256)


def test_where_media_are_kept_and_how_many_can_be_set() -> None:
    defaults = Settings.from_environment({"MEDIA_DIRECTORY": " "})
    assert str(defaults.media_directory) == "/var/lib/medianest/media"
    assert (defaults.media_largest_mb, defaults.media_queue_limit) == (20, 100)
    settings = Settings.from_environment(
        {"MEDIA_DIRECTORY": "/srv/media", "MEDIA_LARGEST_MB": "5", "MEDIA_QUEUE_LIMIT": "7"}
    )
    assert str(settings.media_directory) == "/srv/media"
    assert (settings.media_largest_mb, settings.media_queue_limit) == (5, 7)


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
        ("MEDIA_LARGEST_MB", "0", "MEDIA_LARGEST_MB must be a whole number from 1 to 1024, not '0'"),
        (
            "MEDIA_QUEUE_LIMIT",
            "none",
            "MEDIA_QUEUE_LIMIT must be a whole number from 1 to 1000000, not 'none'",
        ),
        ("WORKERS", "0", "WORKERS must be a whole number from 1 to 64, not '0'"),
        ("WORKERS", "all", "WORKERS must be a whole number from 1 to 64, not 'all'"),
        (
            "WORKER_MEMORY_MB",
            "16",
            "WORKER_MEMORY_MB must be a whole number from 32 to 65536, not '16'",
        ),
        ("DOCS", "perhaps", "DOCS must be true or false, not 'perhaps'"),
        ("DEMO_USER", "two words", "DEMO_USER must be 1 to 64 letters, digits or . _ @ + -"),
    ],
)
def test_an_unusable_variable_is_named(variable: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({variable: value})
    assert str(caught.value) == message
