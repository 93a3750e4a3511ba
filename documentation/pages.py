"""The pages that are made, by their paths in the tree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from documentation.commands import commands_page
from documentation.faults import faults_page
from documentation.settings import settings_page

ROOT = Path(__file__).parents[1]


def pages() -> Mapping[str, str]:
    """Each page's path and its whole text."""
    return {
        "docs/reliability.md": faults_page(),
        "docs/reference/commands.md": commands_page(),
        "docs/reference/settings.md": settings_page(),
    }
