"""The command `test`: runs the project's checks and tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from ops.errors import OperationError
from ops.options import JsonOption, YesOption
from ops.output import Output, seconds
from ops.paths import project_root
from ops.suites import Suite, suites


@dataclass(frozen=True)
class SuiteResult:
    """How a suite ended."""

    name: str
    passed: bool
    exit_code: int
    seconds: float


def run_tests(
    everything: Annotated[
        bool, typer.Option("--all", help="Also what takes long (90 minutes at most).")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the checks and tests of this project, about 35 minutes at most.

    Runs them all, also after one has failed, and says at the end which have.

    Examples:

        ./medianest test

        ./medianest test --all --json
    """
    from ops.up import ensure_setup

    output = Output(as_json)
    ensure_setup(output, yes)
    from ops.environment import pulumi_variables

    chosen = [suite for suite in suites() if suite.quick or everything]
    results = [run(suite, project_root(), output, pulumi_variables()) for suite in chosen]
    failed = [result.name for result in results if not result.passed]
    report = {"passed": not failed, "suites": [asdict(result) for result in results]}
    show(output, results)
    if failed:
        raise OperationError(f"failed: {', '.join(failed)}", details=report)
    output.document(report)


def run(suite: Suite, root: Path, output: Output, variables: dict[str, str]) -> SuiteResult:
    """Run one suite; what it says goes straight through."""
    output.progress(f"--- {suite.name}: {' '.join(suite.command[1:])}")
    began = time.monotonic()
    done = subprocess.run(
        suite.command,
        cwd=root,
        env={**os.environ, **variables},
        stdout=sys.stderr if output.as_json else None,
        check=False,
    )
    took = round(time.monotonic() - began, 2)
    return SuiteResult(suite.name, done.returncode == 0, done.returncode, took)


def show(output: Output, results: Sequence[SuiteResult]) -> None:
    """The results for people."""
    if output.as_json:
        return
    from rich.table import Table

    table = Table("suite", "result", "time")
    for result in results:
        verdict = "[green]passed[/]" if result.passed else f"[red]failed ({result.exit_code})[/]"
        table.add_row(result.name, verdict, seconds(result.seconds))
    table.add_row("in all", "", seconds(sum(result.seconds for result in results)))
    output.show(table)
