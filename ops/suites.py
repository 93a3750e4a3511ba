"""The project's checks and tests, in the order in which `test` runs them."""

from __future__ import annotations

import sys
from dataclasses import dataclass

# `verify` runs these, and so do the tests of whole stacks through it.
CHECKS_OF_A_RUNNING_STACK = ("--ignore=tests/stack/verify", "--ignore=tests/stack/app")


TYPED = ("__main__.py", "components", "ops", "guardian", "benchmarks", "tests")


@dataclass(frozen=True)
class Suite:
    """One command. `quick` says whether it fits what is run every time."""

    name: str
    command: tuple[str, ...]
    quick: bool = True


def suites() -> list[Suite]:
    python = sys.executable
    return [
        Suite("lint", (python, "-m", "ruff", "check", ".")),
        Suite("format", (python, "-m", "ruff", "format", "--check", ".")),
        Suite("types", (python, "-m", "mypy", *TYPED)),
        Suite("unit", (python, "-m", "pytest", "tests/unit")),
        Suite("images", (python, "-m", "pytest", "tests/images")),
        Suite("guardian", (python, "-m", "pytest", "tests/guardian")),
        Suite("app", (python, "-m", "tests.harness.app_suite")),
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
