from __future__ import annotations

import hashlib

from components.redis import access_list


def test_the_access_list_holds_hashes_and_no_password() -> None:
    text = access_list(["hunter2hunter2"])
    assert "hunter2" not in text
    assert f"#{hashlib.sha256(b'hunter2hunter2').hexdigest()}" in text


def test_strangers_may_only_ping() -> None:
    (default,) = (line for line in access_list(["x"]).splitlines() if line.startswith("user default"))
    assert default.endswith("-@all +ping")
    assert "~*" not in default


def test_the_backend_may_not_administer() -> None:
    (backend,) = (line for line in access_list(["x"]).splitlines() if line.startswith("user backend"))
    assert "-@admin" in backend
    assert "-@dangerous" in backend
