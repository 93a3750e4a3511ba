from __future__ import annotations

import socket
from pathlib import Path

import pytest

from components.engine_socket import EngineSocket, engine_socket
from components.settings import EngineSettings, SettingsError


def test_the_group_is_that_of_the_socket_here(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        found = engine_socket(EngineSettings(), {"DOCKER_HOST": f"unix://{path}"})
        assert found == EngineSocket(str(path), path.stat().st_gid)
        assert engine_socket(EngineSettings(socket=str(path)), {}) == found


def test_the_settings_win() -> None:
    given = EngineSettings(socket="/run/engine.sock", socket_group=7)
    assert engine_socket(given, {"DOCKER_HOST": "ssh://far"}) == EngineSocket("/run/engine.sock", 7)
    usual = engine_socket(EngineSettings(socket_group=7), {"DOCKER_HOST": "tcp://far:2375"})
    assert usual == EngineSocket("/var/run/docker.sock", 7)


def test_what_cannot_be_found_out_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ssh://far does not tell .* Set guardian.engine.socket_group"):
        engine_socket(EngineSettings(), {"DOCKER_HOST": "ssh://far"})
    with pytest.raises(SettingsError, match=r"No such file or directory\. Set guardian.engine.socket_group"):
        engine_socket(EngineSettings(socket=str(tmp_path / "nothing")), {})
