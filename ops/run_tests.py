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

from ops import completion
from ops.errors import ExitCode, OperationError
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
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SUITE]...", help="Only these.", show_default=False, autocompletion=completion.suites
        ),
    ] = None,
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

        ./medianest test lint types unit

        ./medianest test --all --json
    """
    from ops.up import ensure_setup

    output, variables = Output(as_json), {}
    chosen = choose(suites(), names or (), everything)
    if not all(suite.static for suite in chosen):
        from ops.environment import pulumi_variables

        ensure_setup(output, yes, browser=any(suite.browser for suite in chosen))
        variables = pulumi_variables()
    results = [run(suite, project_root(), output, variables) for suite in chosen]
    failed = [result.name for result in results if not result.passed]
    report = {"passed": not failed, "suites": [asdict(result) for result in results]}
    show(output, results)
    if failed:
        raise OperationError(f"failed: {', '.join(failed)}", details=report)
    output.document(report)


def choose(known: Sequence[Suite], names: Sequence[str], everything: bool) -> list[Suite]:
    """The suites to run, in their own order. Raises OperationError for a name that there is not."""
    from ops.project import near_names

    there = {suite.name for suite in known}
    for name in names:
        if name not in there:
            raise OperationError(
                f"suite {name!r} is not known",
                f"{near_names(name, there)}Suites: {', '.join(suite.name for suite in known)}.",
                ExitCode.USAGE,
            )
    return [suite for suite in known if suite.name in names or (not names and (suite.quick or everything))]


def run(suite: Suite, root: Path, output: Output, variables: dict[str, str]) -> SuiteResult:
    """Run one suite; what it says goes straight through."""
    output.progress(f"--- {suite.name}: {' '.join([Path(suite.command[0]).name, *suite.command[1:]])}")
    began = time.monotonic()
    done = subprocess.run(
        suite.command,
        cwd=root,
        env={**os.environ, **variables, **suite.variables},
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
