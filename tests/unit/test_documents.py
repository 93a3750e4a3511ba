"""What the documents claim of the tree is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from components.settings import load
from ops.cli import app
from ops.suites import suites
from tests.harness.documents import DOCUMENTS, ROOT

README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_readme_shows_settings_that_are_valid() -> None:
    blocks = re.findall(r"```yaml\n(config:\n.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        settings = load("medianest", yaml.safe_load(block)["config"], ())
        assert (ROOT / settings.backend.build.context / settings.backend.build.dockerfile).is_file()


def test_the_readme_tells_of_every_command() -> None:
    commands = set(typer.main.get_group(app).commands)
    assert {"up", "env"} <= commands
    assert commands <= set(re.findall(r"\./medianest (\w+)", README))


def test_contributors_are_told_of_suites_and_files_that_there_are() -> None:
    names = {suite.name for suite in suites()}
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    commands = [hook["entry"] for hook in hooks]
    commands += [
        line.split("#")[0] for line in re.findall(r"^\$ (\./medianest test.*)$", CONTRIBUTING, re.MULTILINE)
    ]
    assert len(commands) > 6
    for command in commands:
        asked = [word for word in command.split()[2:] if not word.startswith("-")]
        assert set(asked) <= names, command
    for path in re.findall(
        r"(?<![\w./])((?:tests|components|ops|docs|app|requirements)/[\w./-]*)", CONTRIBUTING
    ):
        assert (ROOT / path.rstrip(".")).exists(), path


def test_contributors_are_told_of_every_check_that_only_reads_the_tree() -> None:
    static = {suite.name for suite in suites() if suite.static}
    (line,) = (line for line in CONTRIBUTING.splitlines() if "without Docker" in line)
    assert set(line.split("#")[0].split()[3:]) == static


def test_the_hooks_are_a_valid_configuration() -> None:
    tool = Path(sys.executable).parent / "pre-commit"
    command = [str(tool), "validate-config", str(ROOT / ".pre-commit-config.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
