"""The versions of toolchain/versions.toml, and where in the cache they are kept."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Versions:
    """What is wanted beside Python packages."""

    pulumi: str
    download_site: str
    plugin: str
    plugin_version: str
    upstream: str
    upstream_version: str
    upstream_sum: str
    scripts_module: str
    go_minimum: str
    engine_minimum: str
    engine_api_minimum: str


def read_versions(root: Path) -> Versions:
    """Read the versions of the checkout at `root`. A file that lacks one is a broken checkout: KeyError."""
    table = tomllib.loads((root / "toolchain" / "versions.toml").read_text())
    plugin = table["docker_plugin"]
    return Versions(
        pulumi=table["pulumi"]["version"],
        download_site=table["pulumi"]["download_site"],
        plugin=plugin["name"],
        plugin_version=plugin["version"],
        upstream=plugin["upstream"],
        upstream_version=plugin["upstream_version"],
        upstream_sum=plugin["upstream_sum"],
        scripts_module=table["language_host"]["scripts_module"],
        go_minimum=table["go"]["minimum"],
        engine_minimum=table["engine"]["minimum"],
        engine_api_minimum=table["engine"]["minimum_api"],
    )


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, to compare with: "go1.26.8" → (1, 26, 8)."""
    match = re.search(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def pulumi_directory(cache: Path, versions: Versions) -> Path:
    """Where the Pulumi CLI and its language host are kept when they are ours."""
    return cache / "toolchain" / f"pulumi-{versions.pulumi}"


def tools_directory(cache: Path, versions: Versions) -> list[Path]:
    """What goes on PATH for the CLI: ours when there is one, else nothing, since it is there already."""
    directory = pulumi_directory(cache, versions) / "bin"
    return [directory] if directory.is_dir() else []
