"""Builds the images that tests run on containers of their own, the way a stack builds them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class BuiltImages:
    """Image ids."""

    postgres: str
    redis: str
    gateway: str
    prometheus: str
    alertmanager: str
    exporters: str
    guardian: str
    app: str


def build_images() -> BuiltImages:
    """Build through Pulumi, with a state that is thrown away: the images stay, named by their content.

    Expects Pulumi on PATH, as `./medianest test` and `activate` put it there.
    Raises subprocess.CalledProcessError, with Pulumi's output printed.
    """
    with tempfile.TemporaryDirectory() as directory:
        # A copy, since Pulumi writes into a project's folder.
        project = Path(directory, "project")
        shutil.copytree(ROOT / "tests/harness/images", project)
        state = Path(directory, "state")
        state.mkdir()
        environment = os.environ | {
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "of a state that is thrown away",
            "PYTHONPATH": str(ROOT),
        }
        environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)

        def pulumi(*arguments: str) -> str:
            command = ["pulumi", *arguments, "--stack", "images", "--non-interactive", "--cwd", str(project)]
            done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
            if done.returncode:
                print(done.stdout, done.stderr)
                done.check_returncode()
            return done.stdout

        pulumi("stack", "init")
        pulumi("up", "--yes", "--skip-preview")
        return BuiltImages(**json.loads(pulumi("stack", "output", "--json")))
