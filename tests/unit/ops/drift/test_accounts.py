from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from components.accounts import (
    MONITORING,
    acl_permissions,
    monitoring_acl_permissions,
    password_hash,
    scram_verifier,
)
from ops.drift.accounts import fits, is_account, judge_postgres, judge_redis, look_at_account
from ops.drift.model import Mending
from ops.drift.record import Recorded
from ops.names import DYNAMIC
from tests.unit.ops.drift.recorded_stack import documents

PASSWORD = "the-recorded-one"
VERIFIER = scram_verifier(PASSWORD, b"0123456789abcdef")
POSTGRES = Recorded(
    "urn:roles",
    DYNAMIC,
    "medianest_a",
    {
        "account": "medianest_a",
        "administrator": "medianest",
        "database": "medianest",
        "container": "c1",
        "password": PASSWORD,
    },
)
REDIS = Recorded(
    "urn:users",
    DYNAMIC,
    "backend_a",
    {"account": "backend_a", "administrator_file": "/a", "container": "c2", "password": PASSWORD},
)
ROLE: dict[str, Any] = {
    "login": True,
    "verifier": VERIFIER,
    "above": False,
    "member": True,
    "expired": False,
    "connections": -1,
}
RULES = f"on sanitize-payload {password_hash(PASSWORD)} {' '.join(sorted(acl_permissions()))}"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, []),
        ({"login": False}, ["login"]),
        ({"expired": True}, ["login"]),
        ({"connections": 0}, ["login"]),
        ({"verifier": None}, ["password"]),
        ({"verifier": scram_verifier("another", b"0123456789abcdef")}, ["password"]),
        ({"member": False}, ["membership"]),
        ({"above": True}, ["rights"]),
    ],
)
def test_a_role_of_postgres(change: dict[str, Any], told: list[str]) -> None:
    found = judge_postgres(POSTGRES, ROLE | change)
    assert [finding.property for finding in found] == told
    assert all(finding.mending is Mending.SET_UP_AGAIN and finding.urn == "urn:roles" for finding in found)
    assert PASSWORD not in repr(found)


def test_a_role_that_is_gone() -> None:
    assert [finding.live for finding in judge_postgres(POSTGRES, None)] == ["gone"]


@pytest.mark.parametrize(
    ("verifier", "expected"),
    [
        (VERIFIER, True),
        (scram_verifier(PASSWORD, b"0123456789abcdef", 10_000), True),
        ("md5aa01", False),
        ("SCRAM-SHA-256$x:y$z", False),
        ("", False),
    ],
)
def test_a_password_is_held_against_what_postgres_keeps(verifier: str, expected: bool) -> None:
    assert fits(verifier, PASSWORD) is expected


@pytest.mark.parametrize(
    ("users", "told"),
    [
        (f"user backend_a {RULES}", []),
        (f"user backend_a {RULES.replace('on ', 'off ', 1)}", ["login"]),
        (f"user backend_a {RULES.replace(password_hash(PASSWORD), password_hash('x'))}", ["password"]),
        (f"user backend_a {RULES} nopass", ["password"]),
        (f"user backend_a {RULES} +flushall", ["rights"]),
        (f"user backend_b {RULES}", ["existence"]),
    ],
)
def test_a_user_of_redis(users: str, told: list[str]) -> None:
    found = judge_redis(REDIS, None, f"OK\nuser administrator on\n{users}\nuser default on nopass")
    assert [finding.property for finding in found] == told


def test_without_its_administrator_redis_has_to_read_its_file_again() -> None:
    service = documents("redis").recorded
    (found,) = judge_redis(REDIS, service, "WRONGPASS invalid username-password pair")
    assert (found.property, found.mending, found.urn) == ("administrator", Mending.REPLACE, service.urn)
    assert found.interruption is not None


def test_each_is_asked_in_its_own_container_and_told_no_password() -> None:
    asked: list[tuple[str, str]] = []

    def run_in(container: str, command: list[str], given: str) -> str:
        asked.append((container, given))
        assert PASSWORD not in given + " ".join(command)
        return "" if container == "c1" else "OK\n"

    assert [item.property for item in look_at_account(POSTGRES, None, run_in)] == ["existence"]
    assert [item.property for item in look_at_account(REDIS, None, run_in)] == ["existence"]
    assert [container for container, _ in asked] == ["c1", "c2"]


def test_other_resources_are_no_accounts() -> None:
    assert is_account(POSTGRES)
    assert not is_account(Recorded("urn", DYNAMIC, "c1", {"container": "c1", "limit": 1}))


def _of_an_exporter(account: Recorded) -> Recorded:
    return replace(account, inputs={**account.inputs, "purpose": MONITORING})


def test_an_exporters_role_belongs_to_another_group() -> None:
    asked: list[str] = []

    def run_in(_container: str, _command: list[str], given: str) -> str:
        asked.append(given)
        return json.dumps(ROLE | {"member": False})

    (found,) = look_at_account(_of_an_exporter(POSTGRES), None, run_in)
    assert "rolname = 'pg_monitor'" in asked[0]
    assert (found.property, found.recorded) == ("membership", "of pg_monitor")


def test_an_exporters_user_may_ask_for_figures_and_no_more() -> None:
    user = f"on {password_hash(PASSWORD)} {' '.join(sorted(monitoring_acl_permissions()))}"
    exporter = _of_an_exporter(REDIS)
    assert judge_redis(exporter, None, f"OK\nuser backend_a {user}") == []
    (found,) = judge_redis(exporter, None, f"OK\nuser backend_a {user} +get")
    assert (found.property, found.recorded) == ("rights", "to ask for figures")
