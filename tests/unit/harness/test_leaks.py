"""Secrets are found in a text by each of their parts."""

from __future__ import annotations

import json

import pytest

from tests.harness.leaks import leaked

PASSWORD = "pLaNtEd-0123456789"
SHA = "5e884898da28047151d0e56f8dc6292773603d0d6aabbd62a11ef721d1542d8d"
SECRETS = {
    "backend:redis_url": f"redis://medianest_a:{PASSWORD}@redis:6379/0",
    "backend:database_url": f"postgresql://medianest_a:{PASSWORD}@postgres:5432/medianest",
    "redis-exporter:password": json.dumps({"redis://monitoring_a@redis:6379": PASSWORD}),
    "redis:users.acl": f"user default off\nuser medianest_a on #{SHA} ~* &* +@all\n",
    "backend:jwt_secret": PASSWORD,
    "backend:demo_password": "another-0123456789",
}


@pytest.mark.parametrize("name", [name for name, value in SECRETS.items() if PASSWORD in value])
def test_a_bare_password_is_found(name: str) -> None:
    assert leaked({name: SECRETS[name]}, json.dumps({"Env": [f"PASSWORD={PASSWORD}"]})) == {name}


@pytest.mark.parametrize("name", SECRETS)
def test_a_whole_file_is_found(name: str) -> None:
    assert leaked({name: SECRETS[name]}, f"before {SECRETS[name]} behind") == {name}


def test_a_password_of_an_acl_is_found_where_its_lines_are_broken() -> None:
    assert leaked(SECRETS, json.dumps(SECRETS["redis:users.acl"])) == {"redis:users.acl"}
    assert leaked(SECRETS, f"ACL SETUSER x #{SHA}") == {"redis:users.acl"}


def test_every_secret_with_it_is_named_and_no_other() -> None:
    assert leaked(SECRETS, f"x{PASSWORD}x") == {name for name, value in SECRETS.items() if PASSWORD in value}
    assert leaked(SECRETS, "medianest_a redis://redis:6379 postgres:5432 monitoring_a 0123456789") == set()
