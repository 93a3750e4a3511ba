"""Chromium: found where it is, installed where that may be, else told of."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from ops.errors import OperationError
from ops.setup import browser
from ops.setup.browser import PACKAGES, BrowserStep
from ops.setup.packages import System
from ops.setup.run import ensure


def test_it_is_missing_until_both_programs_are_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert BrowserStep().missing() == "chromium and chromedriver not on PATH"
    for name in ("chromium", "chromedriver"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert BrowserStep().missing() is None


def test_where_nothing_may_be_installed_a_person_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(browser, "read_system", lambda: System(debian=True, systemd=False, root=False))
    with pytest.raises(OperationError, match="Chromium and its driver") as raised:
        ensure(Console(), steps=[BrowserStep()], assume_yes=True)
    assert f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {PACKAGES[0]}" in str(
        raised.value.hint
    )
