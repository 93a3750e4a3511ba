"""The Pulumi CLI, its Python language host and the docker plugin: found, downloaded or built."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from pathlib import Path

from ops.environment import search_path
from ops.errors import OperationError
from ops.paths import pulumi_home
from ops.setup.go_build import GoBuilder, GoProgram
from ops.setup.versions import Versions, pulumi_directory
from ops.setup.work import CommandFailedError, Work

PROBE_SECONDS = 5.0
DOWNLOAD_SECONDS = 300.0
LANGUAGE_HOST = ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")

# Run as programs of their own, so that they can be stopped: urllib's time-out leaves name resolution out.
_PROBE = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5).read(1)"
_INSTALL = (
    "import sys; from pulumi.automation import PulumiCommand; from semver import VersionInfo; "
    "PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))"
)


class Source(Enum):
    """Where a tool comes from, the first that can be had."""

    INSTALLED = "installed already"
    DOWNLOAD = "the vendor's download site"
    BUILD = "built from Go modules"


def choose_source(installed: bool, download_answers: bool) -> Source:
    """The order of the sources."""
    if installed:
        return Source.INSTALLED
    return Source.DOWNLOAD if download_answers else Source.BUILD


def plugin_directory(environ: Mapping[str, str], home: Path, versions: Versions) -> Path:
    """Where Pulumi keeps the plugin."""
    return pulumi_home(environ, home) / "plugins" / f"resource-{versions.plugin}-v{versions.plugin_version}"


def plugin_is_whole(directory: Path, versions: Versions) -> bool:
    """Pulumi leaves a file beside the plugin's directory while it is unpacking it."""
    partial = directory.with_name(f"{directory.name}.partial")
    return (directory / f"pulumi-resource-{versions.plugin}").is_file() and not partial.exists()


def is_complete(directory: Path) -> bool:
    """The CLI and its language host lie together in `directory`."""
    return all(os.access(directory / name, os.X_OK) for name in ("pulumi", *LANGUAGE_HOST))


class PulumiToolsStep:
    """Provides the CLI, the language host and the plugin at their pinned versions."""

    name = "Pulumi"
    after: tuple[str, ...] = ()

    def __init__(self, root: Path, cache: Path, versions: Versions) -> None:
        self._root = root
        self._versions = versions
        self._tools = pulumi_directory(cache, versions)
        self._build_directory = cache / "toolchain" / "build"

    def missing(self) -> str | None:
        absent = []
        if self._cli() is None:
            absent.append(f"Pulumi CLI {self._versions.pulumi}")
        if not self._plugin_installed():
            absent.append(f"{self._versions.plugin} plugin {self._versions.plugin_version}")
        return ", ".join(absent) or None

    def intends(self) -> str | None:
        return None

    def provide(self, work: Work) -> None:
        answers = self._download_answers(work)
        if choose_source(self._cli() is not None, answers) is Source.DOWNLOAD:
            self._download_cli(work)
        if choose_source(self._plugin_installed(), answers and self._cli() is not None) is Source.DOWNLOAD:
            self._download_plugin(work)
        if self.missing():
            self._build(work)

    def _cli(self) -> Path | None:
        """The CLI to use: ours if there is one, else the one on PATH when it is the pinned version."""
        if is_complete(self._tools / "bin"):
            return self._tools / "bin" / "pulumi"
        on_path = shutil.which("pulumi")
        if on_path is None or not is_complete(Path(on_path).parent):
            return None
        try:
            answer = subprocess.run(
                [on_path, "version"],
                capture_output=True,
                text=True,
                timeout=10,
                env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return Path(on_path) if answer.stdout.strip() == f"v{self._versions.pulumi}" else None

    def _plugin_installed(self) -> bool:
        directory = plugin_directory(os.environ, Path.home(), self._versions)
        return plugin_is_whole(directory, self._versions)

    def _download_answers(self, work: Work) -> bool:
        with work.activity("Asking the Pulumi download site", PROBE_SECONDS):
            try:
                work.run([sys.executable, "-c", _PROBE, self._versions.download_site], timeout=PROBE_SECONDS)
            except CommandFailedError:
                work.note("The Pulumi download site cannot be reached: building from Go modules instead")
                return False
        return True

    def _download_cli(self, work: Work) -> None:
        partial = self._partial()
        with work.activity(f"Downloading Pulumi {self._versions.pulumi}", 30):
            try:
                work.run(
                    [sys.executable, "-c", _INSTALL, partial, self._versions.pulumi], timeout=DOWNLOAD_SECONDS
                )
            except CommandFailedError:
                work.note("The download failed: building from Go modules instead")
                return
        self._keep(partial)

    def _download_plugin(self, work: Work) -> None:
        with work.activity(f"Downloading the {self._versions.plugin} plugin", 20):
            try:
                self._install_plugin(work)
            except CommandFailedError:
                work.note("The download failed: building from Go modules instead")

    def _build(self, work: Work) -> None:
        """Download the modules of one program while another is being built."""
        builder = GoBuilder(work, self._root, self._build_directory, self._versions)
        builder.provide_go()
        partial = self._partial()
        plugin = self._build_directory / f"pulumi-resource-{self._versions.plugin}"
        with ThreadPoolExecutor(1) as fetching, ThreadPoolExecutor(1) as building:
            jobs: list[Future[None]] = []

            def add(program: GoProgram, output: Path, fetch_seconds: float) -> None:
                fetched = fetching.submit(builder.fetch, program, fetch_seconds)

                def build() -> None:
                    fetched.result()
                    builder.build(program, output)

                jobs.append(building.submit(build))

            if needs_cli := self._cli() is None:
                (partial / "bin").mkdir(parents=True)
                add(builder.language_host(), partial / "bin" / "pulumi-language-python", 20)
                add(builder.cli(), partial / "bin" / "pulumi", 120)
            if needs_plugin := not self._plugin_installed():
                add(builder.plugin(), plugin, 180)
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                work.cancel()
                raise
        if needs_cli:
            builder.copy_language_scripts(partial / "bin")
            self._keep(partial)
        if needs_plugin:
            with work.activity(f"Installing the {self._versions.plugin} plugin", 2):
                try:
                    self._install_plugin(work, "--file", plugin)
                except CommandFailedError as error:
                    raise OperationError(
                        f"`pulumi plugin install` failed: {error.tail}", "Check that PULUMI_HOME is writable."
                    ) from error
        builder.remove_caches()

    def _install_plugin(self, work: Work, *source: str | Path) -> None:
        cli, plugin = self._cli(), self._versions.plugin
        if cli is None:
            raise AssertionError("the CLI comes before the plugin")
        work.run(
            [cli, "plugin", "install", "resource", plugin, self._versions.plugin_version, *source],
            environment={
                "PATH": search_path(os.environ.get("PATH", os.defpath), [cli.parent]),
                "PULUMI_HOME": str(pulumi_home(os.environ, Path.home())),
                "PULUMI_SKIP_UPDATE_CHECK": "true",
            },
            timeout=DOWNLOAD_SECONDS,
        )

    def _partial(self) -> Path:
        """A directory beside the final one, free of what an interrupted run left there."""
        partial = self._tools.with_name(f"{self._tools.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        return partial

    def _keep(self, partial: Path) -> None:
        """Move finished tools into place, at once or not at all."""
        if not is_complete(partial / "bin"):
            return
        shutil.rmtree(self._tools, ignore_errors=True)
        partial.rename(self._tools)
