"""The settings file of an environment: made from another stack's, with what differs.

It lies in the checkout under the name that Pulumi looks for, so that plain `pulumi up -s NAME` works. A
clone without it gets the same one again: everything in it comes from the base and from the lease.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.settings import LeaseSettings
from ops.errors import ExitCode, OperationError
from ops.git import git
from ops.project import holds_secret

MARK = "# Made by `./medianest env up`"
HEADER = f"""{MARK} from the settings of stack %s, and written anew each time.
# Your own secrets (`pulumi config set --secret`) are kept. `./medianest env down` removes the file.
"""
SALT = "encryptionsalt"
# Of the base alone: its releases, its backups, its rotations, and how environments are made of it.
LEFT_OUT = ("pin", "backup", "generations", "environments", "lease")


@dataclass(frozen=True)
class Rendered:
    """A settings file's text. `left_out` names the base's secrets that are not in it."""

    text: str
    left_out: tuple[str, ...]


def render(
    project: str,
    base: Mapping[str, Any],
    former: Mapping[str, Any],
    lease: LeaseSettings,
    port: int,
) -> Rendered:
    """The settings of an environment. `base` and `former` are documents: the base's, and its own so far.

    One replica, data that nothing protects, no watch. Nothing encrypted is taken over from the base.
    """
    given: Mapping[str, Any] = base.get("config") or {}
    left_out = tuple(sorted(key for key, value in given.items() if holds_secret(value)))
    dropped = {*left_out, *(f"{project}:{name}" for name in LEFT_OUT)}
    config = {key: _opened(value) for key, value in given.items() if key not in dropped}

    def differ(component: str, **changes: object) -> None:
        key = f"{project}:{component}"
        config[key] = {**(config.get(key) or {}), **changes}

    differ("backend", replicas=1)
    differ("gateway", port=port)
    differ("data", protected=False)
    differ("monitoring", enabled=False)
    deploy = config.get(f"{project}:deploy") or {}
    differ("deploy", watch={**(deploy.get("watch") or {}), "seconds": 0})
    differ("lease", **lease.model_dump(exclude_none=True))
    own = former.get("config") or {}
    config |= {key: value for key, value in own.items() if holds_secret(value)}
    document: dict[str, Any] = {SALT: former[SALT]} if SALT in former else {}
    document["config"] = config
    body = yaml.safe_dump(document, sort_keys=True, allow_unicode=True, width=100)
    missing = tuple(key.removeprefix(f"{project}:") for key in left_out if key not in own)
    return Rendered(HEADER % lease.base + body, missing)


def is_made_by_us(path: Path) -> bool:
    """Whether a settings file is an environment's, and may be written anew and removed."""
    try:
        with path.open() as file:
            return file.readline().startswith(MARK)
    except OSError:
        return False


def write(path: Path, text: str) -> None:
    """Put the file in its place in one step, where git does not see it."""
    from ops import settings_file

    settings_file.write(path, text)
    _ignore(path, present=True)


def remove(path: Path) -> bool:
    """Remove an environment's settings file; any other one stays. Returns whether there was one."""
    if not is_made_by_us(path):
        return False
    path.unlink(missing_ok=True)
    _ignore(path, present=False)
    return True


def without_expiry(text: str) -> str:
    """The text with its expiry taken out: what is left tells whether there is more to deploy."""
    return "\n".join(line for line in text.splitlines() if not line.strip().startswith("expires:"))


def _ignore(path: Path, *, present: bool) -> None:
    """Put the file's name into git's own list of what is private to this clone, or take it out."""
    listed = git(path.parent, "rev-parse", "--git-path", "info/exclude")
    if not listed:
        # No clone, or no git: nothing to hide it from.
        return
    exclude, line = path.parent / listed, f"/{path.name}"
    exclude.parent.mkdir(parents=True, exist_ok=True)
    with exclude.open("a+") as file:
        # Several environments may come and go at once.
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        lines = file.read().splitlines()
        wanted = [known for known in lines if known != line] + ([line] if present else [])
        if wanted != lines:
            file.truncate(0)
            file.write("".join(f"{known}\n" for known in wanted))


def _opened(value: Any) -> Any:
    """A component's settings, which Pulumi also takes as the text of a JSON object."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except ValueError as error:
            raise OperationError("a setting of the base is not valid JSON", code=ExitCode.USAGE) from error
    return value
