"""The command `up`: from settings to a running, verified stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.options import DEFAULT_STACK, JsonOption, OptionalStackArgument, YesOption
from ops.output import Output, megabytes, seconds

if TYPE_CHECKING:
    from ops.deploy import Decide, Phases
    from ops.events import Update
    from ops.session import Session
    from ops.settings_change import SettingsChange


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
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Deploy a stack and verify what runs.

    Sets up what is missing on this machine, checks that nothing stands in the way, runs `pulumi up`,
    verifies the result and says how it went.

    Examples:

        ./medianest up

        ./medianest up staging --json

        ./medianest up review-17 --no-verify

        ./medianest up staging --unpin
    """
    decide = lift_pin if unpin else None
    run(stack, verify=verify, fast=fast, probe=probe, yes=yes, as_json=as_json, decide=decide)


def run(
    stack: str,
    *,
    verify: bool | None,
    fast: bool,
    probe: bool = True,
    watch: bool = True,
    yes: bool,
    as_json: bool,
    decide: Decide | None = None,
) -> None:
    """What `up` does, and other commands with a change of the settings that `decide` gives.

    Raises OperationError.
    """
    from ops.deploy import Phases, carry_out

    output, phases = Output(as_json), Phases()
    with phases.measure("setup"):
        ensure_setup(output, yes)
    update, report = carry_out(stack, output, phases, verify, fast, probe, watch, decide)
    report["phases"] = {**phases.seconds, "total": round(phases.total, 2)}
    output.document(report)
    if not as_json:
        summarize(output, stack, update, report, phases)


def ensure_setup(output: Output, yes: bool) -> None:
    """Provide what is missing on this machine."""
    from ops.setup.run import ensure

    ensure(output.console(), assume_yes=yes)


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
