"""The checks that only read the tree look at all of it, and find what they are there for."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ops.suites import Suite, dockerfiles, shell_scripts, suites

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent


def tracked(*patterns: str) -> list[str]:
    command = ["git", "ls-files", "--", *patterns]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def suite(name: str) -> Suite:
    return next(suite for suite in suites() if suite.name == name)


@pytest.fixture
def in_a_repository() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("a copy of the tree, which tells nothing of what is tracked")


@pytest.mark.usefixtures("in_a_repository")
def test_every_dockerfile_is_looked_at() -> None:
    assert sorted(dockerfiles(ROOT)) == sorted(tracked("Dockerfile", "*/Dockerfile"))


@pytest.mark.usefixtures("in_a_repository")
def test_every_shell_script_is_looked_at() -> None:
    command = ["git", "grep", "-lE", "^#!.*[/ ](ba|da)?sh( |$)", "--", ":!*.md", ":!*.py"]
    scripts = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    found = set(shell_scripts(ROOT))
    assert found
    assert found <= set(scripts)
    assert {name for name in scripts if (ROOT / name).read_text().startswith("#!")} == found


def test_a_finding_in_a_dockerfile_fails(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian:latest\nRUN sudo apt-get install x\n")
    tool, *_ = suite("dockerfiles").command
    done = subprocess.run([tool, tmp_path / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DL3004" in done.stdout


def test_a_finding_in_a_script_fails(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/bin/bash\nrm -rf $1/*\n")
    tool, *_ = suite("scripts").command
    done = subprocess.run([tool, tmp_path / "script"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "SC2086" in done.stdout


@pytest.mark.parametrize("ignored", ["hadolint ignore", "shellcheck disable"])
def test_what_is_ignored_has_its_reason_beside_it(ignored: str) -> None:
    for name in [*dockerfiles(ROOT), *shell_scripts(ROOT)]:
        lines = (ROOT / name).read_text().splitlines()
        for before, line in zip(["", *lines], lines, strict=False):
            if line.startswith(f"# {ignored}"):
                assert before.startswith("# ") or "  # " in line or "source=/dev/null" in line, (name, line)


BREACHES = {
    "ops/breach.py": ("import components.containers", "free of Pulumi"),
    "ops/reach.py": ("import tests.harness.checkout", "does not reach into tests"),
    "documentation/breach.py": ("import tests.harness.checkout", "not of its tests"),
    "components/breach.py": ("import ops.engine", "below everything else"),
    "components/backend_breach.py": ("import medianest.server", "imports the backend"),
    "guardian/breach.py": ("import components.labels", "the guardian imports nothing"),
    "ops/guardian_breach.py": ("import guardian.labels", "imports the guardian"),
    "app/medianest/breach.py": ("import components.labels", "the backend imports nothing"),
}


def test_an_import_across_the_rooms_is_found(tmp_path: Path) -> None:
    for room in ("components", "ops", "guardian", "benchmarks", "documentation", "tests", "app/medianest"):
        shutil.copytree(
            ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "recorded")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path, (line, _) in BREACHES.items():
        (tmp_path / path).write_text(f"{line}\n")
    checked = suite("imports")
    done = subprocess.run(
        checked.command, cwd=tmp_path, env={**checked.variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    broken = [line for line in done.stdout.splitlines() if line.endswith("BROKEN")]
    for _, contract in BREACHES.values():
        assert any(contract in line for line in broken), (contract, done.stdout)


def test_the_program_imports_of_the_tree_only_components() -> None:
    tree = ast.parse((ROOT / "__main__.py").read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    rooms = {name.split(".")[0] for name in imported} & {
        "ops",
        "tests",
        "benchmarks",
        "documentation",
        "medianest",
    }
    assert rooms == set()
    assert any(name.startswith("components.") for name in imported)
