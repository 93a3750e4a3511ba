"""The message that an update leaves in Pulumi's history: what for, and by whom."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from pathlib import Path

from ops.git import git
from ops.releases.deploys import DEPLOYED_BY


def update_message(root: Path, environment: Mapping[str, str], title: str = "") -> str:
    """A title, by default the last commit's as Pulumi itself takes it, and who runs the command.

    Pulumi notes the commit and its author, but not who deployed.
    """
    title = title or commit_title(root) or "Deploy what is in the tree"
    return f"{title}\n\n{DEPLOYED_BY}: {person(environment)}"


def person(environment: Mapping[str, str]) -> str:
    """user@host; behind sudo the user who called it."""
    try:
        user = environment.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        # A user id without a name, as in containers.
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def commit_title(root: Path) -> str:
    """The title of the last commit; empty outside a repository and without git."""
    return (git(root, "log", "-1", "--format=%s") or "").strip()
