from __future__ import annotations

from typing import Any

import pytest

from components.settings import StackSettings
from ops.plan.model import MASKED
from ops.plan.setting_changes import setting_changes, settings_of


def changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    old = settings_of(before)
    assert old is not None
    return [str(change) for change in setting_changes(old, StackSettings.model_validate(now))]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (
            {"backend": {"limits": {"memory_mb": 512}}},
            {"backend": {"limits": {"memory_mb": 256}}},
            ["backend.limits.memory_mb: 512 → 256"],
        ),
        # Written down or left to its default is the same.
        ({}, {"gateway": {"port": 3000}}, []),
        ({}, {"generations": {"jwt_secret": 2}}, ["generations.jwt_secret: not set → 2"]),
        ({}, {"data": {"protected": False}}, ["data.protected: true → false"]),
        (
            {},
            {"backend": {"volumes": []}},
            [
                "backend.volumes.media.name: media → not set",
                "backend.volumes.media.path: /var/lib/medianest/media → not set",
            ],
        ),
        (
            {},
            {"gateway": {"internal_paths": ["/a", "/b"]}},
            ["gateway.internal_paths: /metrics /internal → /a /b"],
        ),
    ],
)
def test_settings_are_named_with_both_values(
    before: dict[str, Any], now: dict[str, Any], expected: list[str]
) -> None:
    assert changed(before, now) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_PASSWORD", "hunter2hunter2"),
        ("API_TOKEN", "hunter2hunter2"),
        ("BROKER", "amqp://user:hunter2hunter2@broker/"),
        ("DATABASE_URL", "postgres://hunter2hunter2"),
    ],
)
def test_what_looks_like_a_secret_is_not_shown(name: str, value: str) -> None:
    (found,) = changed({}, {"backend": {"environment": {name: value}}})
    assert "hunter2" not in found
    assert MASKED in found


def test_not_even_how_long_a_secret_is() -> None:
    found = changed({}, {"backend": {"secrets": {"jwt_secret": {"length": 77, "minimum_length": 33}}}})
    assert any("jwt_secret.length" in line for line in found)
    assert not any(number in line for line in found for number in ("77", "33", "64", "32"))


def test_settings_of_another_version_of_the_toolkit_explain_nothing() -> None:
    assert settings_of({"backend": {"no_such_setting": 1}}) is None
    assert setting_changes(None, StackSettings()) == []
