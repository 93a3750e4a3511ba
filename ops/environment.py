"""The environment that plain `pulumi` needs: tools on PATH, the user's state, the engine that is meant."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops import passphrase
from ops.docker_endpoint import find_endpoint
from ops.paths import cache_directory, project_root, pulumi_home, state_directory
from ops.setup.versions import read_versions, tools_directory


def search_path(current: str, first: Sequence[Path]) -> str:
    """PATH with `first` in front, each entry once, so that doing it again changes nothing."""
    front = [str(directory) for directory in first]
    rest = [entry for entry in current.split(os.pathsep) if entry and entry not in front]
    return os.pathsep.join(front + rest)


def backend_url(environ: Mapping[str, str], state: Path) -> str:
    """The user's own back end, else a directory of the user's state."""
    return environ.get("PULUMI_BACKEND_URL") or f"file://{state / 'pulumi'}"


def additions(
    environ: Mapping[str, str],
    *,
    tools: Sequence[Path],
    state: Path,
    home: Path,
    docker: Mapping[str, str],
    passphrase_variables: Mapping[str, str],
) -> dict[str, str]:
    """What has to be set on top of `environ`. A pure function: everything it depends on is handed over."""
    return {
        "PATH": search_path(environ.get("PATH", os.defpath), tools),
        "PULUMI_BACKEND_URL": backend_url(environ, state),
        "PULUMI_HOME": str(pulumi_home(environ, home)),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # Where the settings file holds no salt, take the state's instead of drawing a new one and
        # encrypting the state anew.
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        **passphrase_variables,
        **docker,
    }


def pulumi_variables(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of this machine and user, on top of `environ` (default: this process's).

    Makes the state directory and the passphrase when they are not there yet.
    Raises OperationError for a lost passphrase, an unknown Docker context, a directory that cannot be made.
    """
    environ = os.environ if environ is None else environ
    state = private_directory(state_directory())
    url = backend_url(environ, state)
    if "PULUMI_BACKEND_URL" not in environ:
        private_directory(state / "pulumi")
    versions = read_versions(project_root())
    return additions(
        environ,
        tools=[Path(sys.executable).parent, *tools_directory(cache_directory(), versions)],
        state=state,
        home=Path.home(),
        docker=find_endpoint(environ, Path.home()).variables,
        passphrase_variables=passphrase.variables(environ, state / "passphrase", url),
    )


def private_directory(directory: Path) -> Path:
    """Make a directory that only its user may enter."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if directory.stat().st_mode & 0o077:
        directory.chmod(0o700)
    return directory
