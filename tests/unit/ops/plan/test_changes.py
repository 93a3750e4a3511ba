"""From what Pulumi has really said to what a person reads."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ops.plan.changes import changes, drift_of, refusals
from ops.plan.model import Action, Change, Danger, Difference
from ops.plan.reasons import Background, ChangedFiles
from ops.plan.setting_changes import SettingChange
from tests.unit.ops.plan.plans import recorded

NOTHING = Background()


def changed(name: str, background: Background = NOTHING) -> dict[str, Change]:
    return {item.name: item for item in changes(recorded(name), background)}


def test_nothing_is_to_be_done_where_all_is_the_same() -> None:
    preview = recorded("unchanged")
    assert changes(preview, NOTHING) == ()
    # Components and providers do not count.
    assert len(preview.kept) == 38


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gateway-port", {"gateway": "replace"}),
        ("postgres-setting", {"postgres": "replace", "postgres-roles": "update"}),
        ("gateway-configuration", {"gateway configuration": "replace"}),
        (
            "application-file",
            {"backend-image": "replace", "backend-0": "replace", "backend-1": "replace"},
        ),
        (
            "volume-and-replica-gone",
            {
                "backend-media": "delete",
                "backend-0": "replace",
                "backend-1": "delete",
                "gateway configuration": "replace",
            },
        ),
        (
            "backend-and-secrets",
            {
                "jwt_secret": "update",
                "postgres_password": "update",
                "backend secrets": "replace",
                "backend-secrets": "replace",
                "backend-0": "replace",
                "backend-1": "replace",
                "backend-2": "create",
                "gateway configuration": "replace",
                "postgres-roles": "update",
            },
        ),
    ],
)
def test_each_resource_is_told_once_by_a_name_that_a_person_knows(
    name: str, expected: dict[str, str]
) -> None:
    assert {key: item.action.value for key, item in changed(name).items()} == expected


@pytest.mark.parametrize(
    ("name", "dangers"),
    [
        ("gateway-port", {"gateway": Danger.INTERRUPTION}),
        ("postgres-setting", {"postgres": Danger.INTERRUPTION}),
        ("gateway-configuration", {}),
        ("application-file", {}),
        ("volume-and-replica-gone", {"backend-media": Danger.DATA_LOSS}),
        ("backend-and-secrets", {"jwt_secret": Danger.SECRET, "postgres_password": Danger.SECRET}),
        ("base-image", dict.fromkeys(["gateway", "postgres", "redis"], Danger.INTERRUPTION)),
    ],
)
def test_only_what_is_dangerous_is_called_so_and_it_comes_first(
    name: str, dangers: dict[str, Danger]
) -> None:
    found = list(changes(recorded(name), NOTHING))
    dangerous = {item.name: item.effect.danger for item in found if item.effect.danger}
    assert dangerous == dangers
    assert [item.name for item in found[: len(dangers)]] == list(dangerous)


def test_an_interruption_is_no_longer_than_its_settings_allow() -> None:
    interruption = changed("postgres-setting")["postgres"].effect.interruption
    assert interruption
    # A minute to stop, two to start.
    assert (interruption.part, interruption.seconds) == ("postgres", 180)
    assert 0 < interruption.usual_seconds < interruption.seconds
    assert interruption.meets == "requests that need the database"


@pytest.mark.parametrize(
    ("name", "resource", "megabytes"),
    [
        ("postgres-setting", "postgres", 128),
        ("backend-and-secrets", "backend-2", 512),
        ("backend-and-secrets", "backend-0", 0),
        ("volume-and-replica-gone", "backend-1", -512),
    ],
)
def test_memory_is_that_of_the_limits(name: str, resource: str, megabytes: int) -> None:
    assert changed(name)[resource].effect.memory_mb == megabytes


@pytest.mark.parametrize(
    ("name", "resource", "difference"),
    [
        ("gateway-port", "gateway", ("port 8080", "127.0.0.1:40491", "127.0.0.1:40999")),
        ("postgres-setting", "postgres", ("memory", "512", "640")),
        ("backend-and-secrets", "backend-0", ("environment DEMO_USER", "demo", "demo2")),
        ("backend-and-secrets", "jwt_secret", ("generation", "1", "2")),
        (
            "backend-and-secrets",
            "backend-0",
            ("mount /run/secrets", "medianest-notes-backend-secrets", None),
        ),
        ("application-file", "backend-0", ("image", "533e5844f0e7", "known after the update")),
        ("gateway-configuration", "gateway configuration", ("files", "not shown", "not shown")),
    ],
)
def test_what_differs_is_told_from_old_to_new(
    name: str, resource: str, difference: tuple[str, str, str | None]
) -> None:
    path, old, new = difference
    found = {item.path: item for item in changed(name)[resource].differences}
    assert found[path].old == old
    assert new is None or found[path].new == new


def test_a_preview_made_twice_reads_the_same() -> None:
    # Pulumi draws the ends of names, and what stands for the unknown, anew each time.
    drawn = re.compile(r"-[0-9a-f]{6}$|[0-9a-f]{8}-[0-9a-f]{4}-")
    shown = [
        difference.new for item in changed("backend-and-secrets").values() for difference in item.differences
    ]
    assert "known after the update" in shown
    assert not [text for text in shown if drawn.search(text)]


SETTINGS = [
    SettingChange("backend.environment.DEMO_USER", "demo", "demo2"),
    SettingChange("backend.replicas", "2", "3"),
    SettingChange("gateway.port", "3000", "3001"),
    SettingChange("gateway.body_limit_mb", "25", "30"),
    SettingChange("generations.jwt_secret", "not set", "2"),
    SettingChange("postgres.max_connections", "100", "120"),
]
FILES = ChangedFiles(
    "main",
    {"backend": ["app/medianest/__init__.py"], "base": ["images/base/packages"], "gateway": []},
    ["components/gateway.py"],
)


@pytest.mark.parametrize(
    ("name", "resource", "reasons"),
    [
        ("gateway-port", "gateway", ["setting gateway.port: 3000 → 3001"]),
        (
            "gateway-configuration",
            "gateway configuration",
            ["setting backend.replicas: 2 → 3", "setting gateway.port: 3000 → 3001"],
        ),
        ("postgres-setting", "postgres", ["setting postgres.max_connections: 100 → 120"]),
        ("postgres-setting", "postgres-roles", ["container postgres is another"]),
        ("backend-and-secrets", "backend-2", ["setting backend.replicas: 2 → 3"]),
        (
            "backend-and-secrets",
            "backend-0",
            [
                "setting backend.environment.DEMO_USER: demo → demo2",
                "secret jwt_secret gets another value",
                "secret postgres_password gets another value",
            ],
        ),
        ("backend-and-secrets", "jwt_secret", ["setting generations.jwt_secret: not set → 2"]),
        (
            "application-file",
            "backend-image",
            ["files of the image: app/medianest/__init__.py (against main)"],
        ),
    ],
)
def test_why_is_the_setting_the_file_or_what_it_follows(name: str, resource: str, reasons: list[str]) -> None:
    found = changed(name, Background(SETTINGS, FILES))[resource].reasons
    assert set(reasons) <= set(found)
    assert not any("postgres.max_connections" in reason for reason in found) or resource == "postgres"


def test_a_changed_base_is_a_reason_of_every_image_and_its_files_are_named() -> None:
    for name, item in changed("base-image", Background((), FILES)).items():
        if item.kind in ("Image", "Files"):
            assert any(
                "base image" in reason and "images/base/packages" in reason for reason in item.reasons
            ), name


def test_without_anything_known_the_content_hash_is_the_reason() -> None:
    (reason,) = changed("application-file")["backend-image"].reasons
    assert reason.startswith("content hash: 3ece7eedcaf2 → ")


def test_what_no_setting_explains_is_the_programs_doing() -> None:
    found = changed("gateway-port", Background((), FILES))["gateway"]
    assert found.reasons == ("the program: components/gateway.py (against main)",)
    assert changed("gateway-port")["gateway"].reasons == ("declared differently: ports",)


def test_of_a_new_stack_nothing_needs_a_reason() -> None:
    assert all(not item.reasons for item in changed("gateway-port", Background(new=True)).values())


def test_what_is_protected_is_said_to_be_refused() -> None:
    assert [
        line.split(" is protected")[0].rsplit(" ", 1)[-1]
        for line in refusals(recorded("volume-and-replica-gone").operations)
    ] == ["backend-media"]
    assert refusals(recorded("gateway-port").operations) == []


def test_drift_is_told_once_and_with_what_has_become_of_it() -> None:
    found = {drift.resource.split("-")[2]: drift.what for drift in drift_of(recorded("drift").found, ())}
    assert found == {
        "gateway": "changed by hand: memory: 128 → 100",
        "redis": "gone",
        "backend": "stopped",
    }
    quick = ["container medianest-notes-redis-865a52 is gone"]
    assert len(drift_of(recorded("drift").found, quick)) == 3


def test_a_secret_that_the_team_sets_anew_shows_nothing_but_that() -> None:
    from ops.plan.differences import differences
    from ops.plan.operations import Operation

    inputs: dict[str, Any] = {"generation": 1, "length": 40, "name": "api_key", "value": "[secret]"}
    urn = "urn:pulumi:s::medianest::medianest:index:Backend$pulumi-python:dynamic:Resource::api_key"
    found = differences(Operation(urn, Action.UPDATE, inputs, {**inputs, "length": 41}))
    assert found == (Difference("value", "[secret]", "[secret]"),)
