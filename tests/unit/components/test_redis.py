from __future__ import annotations

import hashlib

from components.redis import access_list

ACL = access_list("backend_a", "hunter2hunter2", "swordfish")


def user(name: str) -> str:
    (line,) = (line for line in ACL.splitlines() if line.startswith(f"user {name} "))
    return line


def test_the_access_list_holds_hashes_and_no_password() -> None:
    assert "hunter2" not in ACL
    assert "swordfish" not in ACL
    assert f"#{hashlib.sha256(b'hunter2hunter2').hexdigest()}" in user("backend_a")


def test_strangers_may_only_ping() -> None:
    assert user("default").endswith("-@all +ping")
    assert "~*" not in user("default")


def test_the_backend_may_not_administer() -> None:
    assert "-@admin" in user("backend_a")
    assert "-@dangerous" in user("backend_a")


def test_the_administrator_sees_no_data() -> None:
    assert user("administrator").endswith("resetkeys resetchannels -@all +acl +client|list")
