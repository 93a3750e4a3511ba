"""What git says of a clone."""

from __future__ import annotations

import subprocess
from pathlib import Path

LONGEST_SECONDS = 20


def git(root: Path, *arguments: str) -> str | None:
    """What a command of git prints; None where it fails, takes too long or is not there."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            # A name need not be UTF-8.
            errors="replace",
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip("\n") if done.returncode == 0 else None
