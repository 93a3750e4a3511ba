"""The command `up`: from settings to a running, verified stack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.errors import ExitCode, OperationError
from ops.options import (
    DEFAULT_STACK,
    AllowInterruptionOption,
    JsonOption,
    OptionalStackArgument,
    YesOption,
)
from ops.output import Output, megabytes, seconds

if TYPE_CHECKING:
    from ops.deploy import Decide, Phases
    from ops.events import Update
    from ops.plan.saved import SavedPlan
    from ops.session import Session
    from ops.settings_change import SettingsChange
    from ops.setup.run import Report


def up(
    stack: OptionalStackArgument = DEFAULT_STACK,
    verify: Annotated[
        bool | None,
        typer.Option("--verify/--no-verify", help="Default: when something changed.", show_default=False),
    ] = None,
    fast: Annotated[
        bool,
        typer.Option("--fast/--no-fast", help="Do not ask Pulumi where nothing can have changed."),
    ] = True,
    probe: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Ask a serving stack meanwhile, and tell what failed.")
    ] = True,
    unpin: Annotated[
        bool, typer.Option("--unpin", help="Lift the pin of a rollback, and deploy what is in the tree.")
    ] = False,
    plan: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Carry out this plan of `preview --save`, or refuse."),
    ] = None,
    allow_interruption: AllowInterruptionOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Deploy a stack and verify what runs.

    Sets up what is missing on this machine, checks that nothing stands in the way, runs `pulumi up`,
    verifies the result and says how it went. An update that interrupts, or deletes data, is named
    before and asked for; where nobody can be asked it needs --allow-interruption.

    Examples:

        ./medianest up

        ./medianest up staging --json

        ./medianest up review-17 --no-verify

        ./medianest up staging --unpin

        ./medianest up staging --plan staging.plan
    """
    if plan and unpin:
        raise OperationError("--unpin changes what the plan was made of", code=ExitCode.USAGE)
    run(
        stack,
        verify=verify,
        fast=fast,
        probe=probe,
        allow_interruption=allow_interruption,
        yes=yes,
        as_json=as_json,
        decide=lift_pin if unpin else None,
        plan=saved_plan(plan, stack),
    )


def saved_plan(path: Path | None, stack: str) -> SavedPlan | None:
    """The plan of a file, where one is given. Raises OperationError."""
    if path is None:
        return None
    from ops.plan.saved import read_plan

    return read_plan(path, stack)


def run(
    stack: str,
    *,
    verify: bool | None,
    fast: bool,
    probe: bool = True,
    watch: bool = True,
    allow_interruption: bool,
    yes: bool,
    as_json: bool,
    decide: Decide | None = None,
    plan: SavedPlan | None = None,
) -> None:
    """What `up` does, and other commands with a change of the settings that `decide` gives.

    Raises OperationError.
    """
    from ops.deploy import Phases, carry_out
    from ops.plan.consent import Consent

    consent = Consent.GIVEN if allow_interruption else Consent.ASKED
    output, phases = Output(as_json), Phases()
    with phases.measure("setup"):
        ensure_setup(output, yes)
    update, report = carry_out(stack, output, phases, verify, fast, probe, watch, decide, consent, plan)
    report["phases"] = {**phases.seconds, "total": round(phases.total, 2)}
    output.document(report)
    if not as_json:
        summarize(output, stack, update, report, phases)


def ensure_setup(output: Output, yes: bool, *, browser: bool = False) -> Report:
    """Provide what is missing on this machine; with `browser` also what tests in one need."""
    from ops.paths import cache_directory, project_root
    from ops.setup.run import all_steps, ensure, with_browser

    steps = (with_browser if browser else all_steps)(project_root(), cache_directory())
    return ensure(output.console(), assume_yes=yes, steps=steps)


def lift_pin(session: Session, stack: str, output: Output) -> SettingsChange | None:
    """The change that lifts a pin. Raises OperationError for a stack that is not known."""
    from ops.pin import lift
    from ops.project import require_stack

    require_stack(stack, session.project.stacks())
    change = lift(session, stack)
    if change is None:
        output.progress(f"Stack {stack} is not pinned.")
    return change


def summarize(output: Output, stack: str, update: Update, report: dict[str, Any], phases: Phases) -> None:
    """The result for people."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_row("url", str(report.get("url", "")))
    if report.get("dashboard"):
        table.add_row("dashboard", f"{report['dashboard']}, its password by: ./medianest dashboard {stack}")
    table.add_row("release", str(report.get("release", "")))
    if "pin" in report:
        since = f"since {report['pin']['since']}, lift with: ./medianest up {stack} --unpin"
        table.add_row("pinned", f"to {report['pin']['release']} {since}")
    if "image_bytes" in report:
        table.add_row("image", f"{report['image']['name']}, {megabytes(report['image_bytes'])}")
        table.add_row("memory", megabytes(report["memory_bytes"]["total"]))
    counted = [f"{count} {name}" for name, count in update.changes.items() if count]
    table.add_row("changes", ", ".join(counted) if update.changed else "none")
    parts = ", ".join(f"{name} {seconds(took)}" for name, took in phases.seconds.items())
    table.add_row("time", f"{seconds(phases.total)} ({parts})")
    headline = f"Stack {stack} is up{' and verified' if 'verification' in report else ''}."
    output.show(f"[bold green]{headline}[/]", table)
