"""What the documents claim of the tree is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from components.settings import load
from ops.cli import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


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
    commands = {command.name for command in app.registered_commands}
    assert commands <= set(re.findall(r"\./medianest (\w+)", README))
