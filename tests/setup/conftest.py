from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.ops.setup.conftest import called as called
from tests.unit.ops.setup.conftest import programs as programs

ROOT = Path(__file__).parents[2]
# Without the Go and the Pulumi that a developer's machine may have.
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"


@dataclass(frozen=True)
class User:
    """A user who has nothing yet: no cache, no state, no plugin."""

    home: Path

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "PATH": SYSTEM_PATH,
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "PULUMI_HOME": str(self.home / "pulumi"),
        }

    @property
    def cache(self) -> Path:
        return self.home / "cache" / "medianest"

    def run(self, *command: str | Path, directory: Path = ROOT) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, command)), cwd=directory, env=self.environment, capture_output=True, text=True
        )


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> User:
    return User(tmp_path_factory.mktemp("user"))
