from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ops.errors import OperationError
from ops.setup.display import Display
from ops.setup.go_build import choose_go, go_environment
from ops.setup.pulumi_tools import (
    LANGUAGE_HOST,
    PulumiToolsStep,
    Source,
    choose_source,
    plugin_directory,
    plugin_is_whole,
)
from ops.setup.versions import Versions, pulumi_directory
from ops.setup.work import Work

from .conftest import ROOT

Programs = Callable[[str, str], Path]
Called = Callable[[], list[str]]


@pytest.mark.parametrize(
    ("installed", "answers", "source"),
    [
        (True, True, Source.INSTALLED),
        (True, False, Source.INSTALLED),
        (False, True, Source.DOWNLOAD),
        (False, False, Source.BUILD),
    ],
)
def test_the_order_of_the_sources(installed: bool, answers: bool, source: Source) -> None:
    assert choose_source(installed, answers) is source


@pytest.mark.parametrize(
    ("on_path", "good"),
    [("go1.26.8", True), ("go1.26", True), ("go1.100.1", True), ("go1.9", False), ("", False), (None, False)],
)
def test_the_go_on_path_is_used_when_it_is_new_enough(on_path: str | None, good: bool) -> None:
    assert choose_go(on_path, "1.26") is good


def test_the_caches_that_the_user_has_chosen_for_go_are_used(tmp_path: Path) -> None:
    assert go_environment({}, tmp_path)["GOMODCACHE"] == str(tmp_path / "modules")
    own = go_environment({"GOMODCACHE": "/own", "GOCACHE": "/own"}, tmp_path)
    assert own == {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi-home"))
    for name in ("GOCACHE", "GOMODCACHE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def plugin(tmp_path: Path, versions: Versions) -> Path:
    return plugin_directory({"PULUMI_HOME": str(tmp_path / "pulumi-home")}, Path("/"), versions)


@pytest.fixture
def unreachable(versions: Versions) -> Versions:
    """Versions whose download site refuses at once."""
    return replace(versions, download_site="http://127.0.0.1:9/")


@pytest.fixture
def go(programs: Programs, tmp_path: Path, versions: Versions) -> Callable[..., None]:
    """A Go that downloads nothing and builds programs that behave as the real ones do here."""
    upstream, sdk = tmp_path / "upstream", tmp_path / "sdk"
    (upstream / "internal").mkdir(parents=True)
    (upstream / "go.mod").write_text("module upstream\n")
    upstream.chmod(0o555)
    for script in ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python"):
        (sdk / script).parent.mkdir(parents=True, exist_ok=True)
        (sdk / script).write_text("#!/bin/bash\n")
    plugin = f"resource-{versions.plugin}-v{versions.plugin_version}"
    built = f"""#!/bin/bash
case "$1" in
version) echo v{versions.pulumi} ;;
plugin) mkdir -p "$PULUMI_HOME/plugins/{plugin}" &&
  cp "${{@: -1}}" "$PULUMI_HOME/plugins/{plugin}/pulumi-resource-{versions.plugin}" ;;
esac
"""
    (tmp_path / "built").write_text(built)

    def add(fails: str = "nothing", upstream_sum: str = versions.upstream_sum) -> None:
        download = json.dumps({"Dir": str(upstream), "Sum": upstream_sum})
        module = json.dumps({"Dir": str(sdk), "Version": f"v{versions.pulumi}"})
        programs(
            "go",
            f"""case "$*" in
*{fails}*) echo "{fails}: no space left on device" >&2; exit 1 ;;
"env GOVERSION") echo go1.26.8 ;;
"mod download"*) echo '{download}' ;;
*"-m -json"*) echo '{module}' ;;
build*) while [ "$1" != -o ]; do shift; done; cp {tmp_path}/built "$2"; chmod 755 "$2" ;;
esac""",
        )

    return add


def test_tools_that_are_not_there_are_named(cache: Path, versions: Versions, programs: Programs) -> None:
    missing = PulumiToolsStep(ROOT, cache, versions).missing()
    assert missing == f"Pulumi CLI {versions.pulumi}, docker plugin {versions.plugin_version}"


def test_without_the_download_site_everything_is_built_from_modules(
    cache: Path, unreachable: Versions, go: Callable[..., None], plugin: Path, work: Work, called: Called
) -> None:
    go()
    step = PulumiToolsStep(ROOT, cache, unreachable)
    step.provide(work)
    assert step.missing() is None
    tools = pulumi_directory(cache, unreachable) / "bin"
    assert sorted(path.name for path in tools.iterdir()) == sorted(["pulumi", *LANGUAGE_HOST])
    assert plugin_is_whole(plugin, unreachable)
    builds = [call for call in called() if call.startswith("go build")]
    assert len(builds) == 3
    assert all("-mod=readonly" in build and "-trimpath" in build for build in builds)
    assert f"version.Version=v{unreachable.pulumi} " in builds[1]
    assert f"main.version={unreachable.plugin_version} " in builds[2]
    assert "-tags no_compose" in builds[2]
    # What only building needs is gone.
    assert [path.name for path in (cache / "toolchain").iterdir()] == [f"pulumi-{unreachable.pulumi}"]


def test_the_plugin_is_built_alone_when_the_cli_is_there(
    cache: Path, unreachable: Versions, go: Callable[..., None], work: Work, called: Called, tmp_path: Path
) -> None:
    go()
    step = PulumiToolsStep(ROOT, cache, unreachable)
    step.provide(work)
    shutil.rmtree(tmp_path / "pulumi-home")
    (tmp_path / "called").unlink()
    step.provide(work)
    assert step.missing() is None
    assert len([call for call in called() if call.startswith("go build")]) == 1


def test_a_failed_build_leaves_nothing_half_and_the_next_run_carries_on(
    cache: Path, unreachable: Versions, go: Callable[..., None], log: io.StringIO, console: Console
) -> None:
    step = PulumiToolsStep(ROOT, cache, unreachable)
    with Display(console) as display:
        go(fails="pulumi/pkg/v3/cmd/pulumi")
        with pytest.raises(OperationError, match="pulumi failed: the disk is full"):
            step.provide(Work(log, display))
    assert not pulumi_directory(cache, unreachable).exists()
    assert step.missing()
    with Display(console) as display:
        go()
        step.provide(Work(log, display))
    assert step.missing() is None


def test_a_provider_with_another_sum_is_refused(
    cache: Path, unreachable: Versions, go: Callable[..., None], work: Work
) -> None:
    go(upstream_sum="h1:changed")
    with pytest.raises(OperationError, match="has the sum h1:changed") as caught:
        PulumiToolsStep(ROOT, cache, unreachable).provide(work)
    assert "do not use" in caught.value.hint


def test_a_plugin_that_is_being_unpacked_does_not_count(plugin: Path, versions: Versions) -> None:
    assert not plugin_is_whole(plugin, versions)
    plugin.mkdir(parents=True)
    assert not plugin_is_whole(plugin, versions)
    (plugin / f"pulumi-resource-{versions.plugin}").touch()
    assert plugin_is_whole(plugin, versions)
    partial = plugin.with_name(f"{plugin.name}.partial")
    partial.touch()
    assert not plugin_is_whole(plugin, versions)


def install_plugin(plugin: Path, versions: Versions) -> None:
    plugin.mkdir(parents=True)
    (plugin / f"pulumi-resource-{versions.plugin}").touch()


@pytest.mark.parametrize(("version", "used"), [("3.259.0", True), ("3.258.0", False), ("", False)])
def test_a_cli_on_path_is_used_at_the_pinned_version_only(
    cache: Path, versions: Versions, plugin: Path, programs: Programs, version: str, used: bool
) -> None:
    install_plugin(plugin, versions)
    programs("pulumi", f"echo v{version}")
    for name in LANGUAGE_HOST:
        programs(name, "")
    assert versions.pulumi == "3.259.0", "the table above has to follow"
    assert (PulumiToolsStep(ROOT, cache, versions).missing() is None) is used


def test_a_cli_on_path_without_its_language_host_is_not_used(
    cache: Path, versions: Versions, plugin: Path, programs: Programs
) -> None:
    install_plugin(plugin, versions)
    programs("pulumi", f"echo v{versions.pulumi}")
    assert PulumiToolsStep(ROOT, cache, versions).missing() == f"Pulumi CLI {versions.pulumi}"


def test_our_own_tools_are_found_without_starting_them(
    cache: Path, versions: Versions, plugin: Path, programs: Programs, called: Called
) -> None:
    install_plugin(plugin, versions)
    tools = pulumi_directory(cache, versions) / "bin"
    tools.mkdir(parents=True)
    for name in ("pulumi", *LANGUAGE_HOST):
        shutil.copy(programs(name, ""), tools)
    assert PulumiToolsStep(ROOT, cache, versions).missing() is None
    assert called() == []
