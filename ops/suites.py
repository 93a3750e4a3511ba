"""The project's checks and tests, in the order in which `test` runs them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ops.paths import project_root

SHELL_LINE = re.compile(rb"#!\S*/(?:env )?(?:ba|da)?sh\b")
TYPED = ("__main__.py", "components", "ops", "guardian", "benchmarks", "documentation", "tests")
WORKFLOWS = "tests/review/test_workflows.py"
# `verify` runs these, and so do the tests of whole stacks through it.
CHECKS_OF_A_RUNNING_STACK = ("--ignore=tests/stack/verify", "--ignore=tests/stack/app")


@dataclass(frozen=True)
class Suite:
    """One command. `quick` says whether it fits what is run every time, `static` whether it only reads
    the tree: it needs neither Docker nor the Pulumi tools; `browser` that it needs Chromium as well."""

    name: str
    command: tuple[str, ...]
    quick: bool = True
    static: bool = False
    browser: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)


def dockerfiles(root: Path) -> list[str]:
    """The Dockerfiles of the tree, relative to its root."""
    return [name for name in source_files(root) if Path(name).name == "Dockerfile"]


def shell_scripts(root: Path) -> list[str]:
    """The scripts of the tree that a shell runs, by their first line."""
    return [name for name in source_files(root) if SHELL_LINE.match(first_line(root / name))]


def source_files(root: Path) -> Iterator[str]:
    """Files of the tree without those that tools leave in hidden folders; continuous integration has one."""
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if path.is_file() and not any(part.startswith(".") for part in name.parts if part != ".ci"):
            yield str(name)


def first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline(80)


def suites() -> list[Suite]:
    python, root = sys.executable, project_root()
    tools = Path(python).parent
    return [
        Suite("lint", (python, "-m", "ruff", "check", "."), static=True),
        Suite("format", (python, "-m", "ruff", "format", "--check", "."), static=True),
        Suite("types", (python, "-m", "mypy", *TYPED), static=True),
        Suite(
            "imports",
            (str(tools / "lint-imports"), "--no-logo", "--no-cache"),
            static=True,
            variables={"PYTHONPATH": ".:app"},
        ),
        Suite("dockerfiles", (str(tools / "hadolint"), "--no-color", *dockerfiles(root)), static=True),
        Suite("scripts", (str(tools / "shellcheck"), *shell_scripts(root)), static=True),
        Suite("workflows", (python, "-m", "pytest", WORKFLOWS), static=True),
        Suite(
            "docs",
            (python, "-m", "mkdocs", "build", "--strict", "--quiet"),
            static=True,
            # It tells on each run that its successor is another program: see CONTRIBUTING.md.
            variables={"NO_MKDOCS_2_WARNING": "1"},
        ),
        Suite("unit", (python, "-m", "pytest", "-n", "2", "tests/unit"), static=True),
        Suite("review", (python, "-m", "pytest", "tests/review", f"--ignore={WORKFLOWS}")),
        Suite("images", (python, "-m", "pytest", "tests/images")),
        Suite("guardian", (python, "-m", "pytest", "tests/guardian")),
        Suite("browser", (python, "-m", "pytest", "tests/browser"), quick=False, browser=True),
        Suite("app", (python, "-m", "tests.harness.app_suite")),
        Suite("app on asyncio", (python, "-m", "tests.harness.app_suite", "-m", "slow"), quick=False),
        Suite("setup", (python, "-m", "pytest", "tests/setup", "-m", "not slow")),
        Suite("setup for real", (python, "-m", "pytest", "tests/setup", "-m", "slow"), quick=False),
        Suite(
            "stack",
            (python, "-m", "pytest", "tests/stack", *CHECKS_OF_A_RUNNING_STACK, "-m", "not slow"),
        ),
        Suite("faults", (python, "-m", "pytest", "tests/faults", "-m", "not slow")),
        Suite(
            "endurance",
            (
                *(python, "-m", "pytest", "tests/stack", "tests/faults"),
                *(*CHECKS_OF_A_RUNNING_STACK, "-m", "slow"),
            ),
            quick=False,
        ),
    ]
