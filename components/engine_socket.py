"""Where the engine's socket is on its host, and which group may use it. Free of Pulumi."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from components.settings import EngineSettings, SettingsError

USUAL = "/var/run/docker.sock"


@dataclass(frozen=True)
class EngineSocket:
    """`path` on the engine's host; `group` is numeric."""

    path: str
    group: int


def engine_socket(settings: EngineSettings, environment: Mapping[str, str]) -> EngineSocket:
    """As the settings say, else as this machine shows where the engine is on it.

    Raises SettingsError, with what to set, where neither tells.
    """
    host = environment.get("DOCKER_HOST", "")
    here = not host or host.startswith("unix://")
    path = settings.socket or (host.removeprefix("unix://") if here and host else USUAL)
    if settings.socket_group is not None:
        return EngineSocket(path, settings.socket_group)
    how = "Set guardian.engine.socket_group: `stat -c %g` tells it on the engine's host"
    if not here:
        raise SettingsError([f"the engine at {host} does not tell the group of its socket. {how}"])
    try:
        return EngineSocket(path, os.stat(path).st_gid)
    except OSError as error:
        raise SettingsError(
            [f"the engine's socket {path} cannot be looked at: {error.strerror}. {how}"]
        ) from None
