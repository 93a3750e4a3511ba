"""Programs that only these tests need, made once into the user's cache: actionlint, Node's packages."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ops.paths import project_root
from ops.setup.display import Display
from ops.setup.go_build import GoBuilder, GoProgram
from ops.setup.versions import read_versions
from ops.setup.work import Work
from tests.harness.node import install_packages, made_once

NODE_DIRECTORY = Path(__file__).parent / "node"


def actionlint() -> Path:
    """The program, built from its Go module as toolchain/actionlint pins it: half a minute the first time."""
    module = project_root() / "toolchain" / "actionlint"
    return made_once("actionlint", [module / "go.sum"], _build_actionlint) / "actionlint"


def node_packages() -> Path:
    """A directory with node_modules, as the lock file beside this file pins them."""
    return made_once("review-node", [NODE_DIRECTORY / "package-lock.json"], _install)


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


def _install(directory: Path) -> None:
    install_packages(NODE_DIRECTORY, directory)
    # Of 400 MB of descriptions one is needed.
    for description in (directory / "node_modules/@octokit/openapi/generated").iterdir():
        if description.name != "api.github.com.json":
            description.unlink()
