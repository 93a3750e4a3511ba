from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from ops.environment import additions, backend_url, private_directory, pulumi_variables, search_path


def test_tools_come_first_and_a_second_time_changes_nothing() -> None:
    tools = [Path("/venv/bin"), Path("/tools/bin")]
    once = search_path("/usr/bin:/tools/bin:/bin", tools)
    assert once == "/venv/bin:/tools/bin:/usr/bin:/bin"
    assert search_path(once, tools) == once


def test_the_users_back_end_wins() -> None:
    assert backend_url({}, Path("/state")) == "file:///state/pulumi"
    assert backend_url({"PULUMI_BACKEND_URL": "s3://bucket"}, Path("/state")) == "s3://bucket"


def test_additions_are_all_that_pulumi_needs() -> None:
    assert additions(
        {"PATH": "/bin", "PULUMI_HOME": "/own", "HOME": "/root"},
        tools=[Path("/venv/bin")],
        state=Path("/state"),
        home=Path("/root"),
        docker={"DOCKER_HOST": "ssh://far"},
        passphrase_variables={"PULUMI_CONFIG_PASSPHRASE_FILE": "/state/passphrase"},
    ) == {
        "PATH": "/venv/bin:/bin",
        "PULUMI_BACKEND_URL": "file:///state/pulumi",
        "PULUMI_HOME": "/own",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        "PULUMI_CONFIG_PASSPHRASE_FILE": "/state/passphrase",
        "DOCKER_HOST": "ssh://far",
    }


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_the_state_is_made_for_its_user_alone(user: Path) -> None:
    variables = pulumi_variables({"PATH": "/bin"})
    state = user / "state" / "medianest"
    assert variables["PULUMI_BACKEND_URL"] == f"file://{state / 'pulumi'}"
    assert variables["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(state / "passphrase")
    assert variables["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    for directory in (state, state / "pulumi"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_the_users_own_variables_are_kept_and_nothing_is_made_for_them(user: Path) -> None:
    own = {"PATH": "/bin", "PULUMI_BACKEND_URL": "s3://bucket", "PULUMI_CONFIG_PASSPHRASE": "own"}
    variables = pulumi_variables(own)
    assert variables["PULUMI_BACKEND_URL"] == "s3://bucket"
    assert not any("PASSPHRASE" in name for name in variables)
    assert list((user / "state" / "medianest").iterdir()) == []


def test_a_directory_that_others_may_enter_is_closed(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    directory.mkdir(mode=0o755)
    private_directory(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
