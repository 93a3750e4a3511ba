"""What the command line makes beside a stack keeps the rules: nothing else reaches the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from docker import APIClient

from components.hardening.kinds import BASE_MAKING, SCRATCH_DATABASE, VOLUME_HELPER, HardeningError
from ops.backup.scratch import scratch_server
from ops.container_commands import VolumeShell
from ops.hardened import create

IMAGE = f"sha256:{'a' * 64}"


class EndOfTestError(Exception):
    """Ends what would go on with a container that there is not."""


class Engine(APIClient):
    """The real SDK up to what it would ask the engine, which is kept."""

    def __init__(self) -> None:
        super().__init__(base_url="unix:///nowhere", version="1.41")
        self.asked: list[dict[str, Any]] = []

    def create_container_from_config(self, config: dict[str, Any], *_: Any, **__: Any) -> dict[str, str]:
        self.asked.append(config)
        return {"Id": "made"}

    def inspect_container(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"Image": IMAGE, "Config": {"User": "999:999"}}

    def inspect_image(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"Config": {"Entrypoint": ["entrypoint"]}}

    def remove_container(self, *_: Any, **__: Any) -> None:
        pass

    def _end(self, *_: Any, **__: Any) -> Any:
        raise EndOfTestError

    attach = start = put_archive = _end


def use_volume(engine: Engine) -> None:
    list(VolumeShell(engine, IMAGE, {}).output("v", "ls", "listing", capabilities=["DAC_READ_SEARCH"]))


def unpack(engine: Engine) -> None:
    VolumeShell(engine, IMAGE, {}).unpack("v", "d", [])


def scratch(engine: Engine) -> None:
    with scratch_server(engine, "postgres", {}, 512, 1.0):
        pass


@pytest.mark.parametrize("made", [use_volume, unpack, scratch])
def test_helpers_keep_the_rules(made: Callable[[Engine], None]) -> None:
    engine = Engine()
    with pytest.raises(EndOfTestError):
        made(engine)
    assert len(engine.asked) == 1
    assert engine.asked[0]["HostConfig"]["NetworkMode"] == "none"


@pytest.mark.parametrize("kind", [VOLUME_HELPER, SCRATCH_DATABASE, BASE_MAKING])
def test_what_breaks_a_rule_reaches_no_engine(kind: Any) -> None:
    engine = Engine()
    with pytest.raises(HardeningError, match="memory limit without swap"):
        create(engine, kind, image=IMAGE, command=["true"])
    assert engine.asked == []
