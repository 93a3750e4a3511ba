"""Where things live: the project's root, and the user's cache and state."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def project_root() -> Path:
    """The checkout that this command line belongs to."""
    return Path(__file__).resolve().parent.parent


def _user_directory(variable: str, default: str) -> Path:
    base = os.environ.get(variable, "")
    # The specification lets relative paths be ignored:
    # https://specifications.freedesktop.org/basedir-spec/latest/
    return (Path(base) if base.startswith("/") else Path.home() / default) / "medianest"


def cache_directory() -> Path:
    """Tools and logs: may be deleted at any time."""
    return _user_directory("XDG_CACHE_HOME", ".cache")


def pulumi_home(environ: Mapping[str, str], home: Path) -> Path:
    """Where Pulumi keeps its plugins.

    Said to it in every case: left alone, one build of it asks $HOME and another the password database.
    """
    return Path(environ.get("PULUMI_HOME") or home / ".pulumi")


def state_directory() -> Path:
    """Pulumi's state and passphrase: must not be lost."""
    return _user_directory("XDG_STATE_HOME", ".local/state")
