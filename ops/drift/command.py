"""The command `drift`: what of a stack is not as it was deployed, and putting it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.options import AllowInterruptionOption, JsonOption, StackArgument
from ops.output import Output

if TYPE_CHECKING:
    from ops.drift.look import Look
    from ops.drift.model import Finding, Report

# As `terraform plan -detailed-exitcode` and `git diff --exit-code` have it: not an error, and not nothing.
DRIFTED = 2


def drift(
    stack: StackArgument,
    fix: Annotated[bool, typer.Option("--fix", help="Put it back to what was deployed.")] = False,
    allow_interruption: AllowInterruptionOption = False,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="With --fix: verify what runs then.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Tell what differs between the tree, Pulumi's state and what runs; --fix puts it back.

    Looks at more than Pulumi does: variables, labels, files and who may read them, mounts, networks,
    limits, ports, health, the accounts of Postgres and Redis, and containers that nobody declared. What
    only the tree declares yet is for `up`. No secret is shown.

    Exits with 0 where nothing differs or all of it was mended, with 2 where something differs, with 1
    where it could not be looked at.

    Examples:

        ./medianest drift staging

        ./medianest drift staging --json

        ./medianest drift staging --fix

        ./medianest drift staging --fix --allow-interruption
    """
    from ops.drift import fix as mend
    from ops.drift.look import look
    from ops.preflight.check import refuse_while_changed
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    session.deployed(stack)
    # What a run has half done is no drift.
    refuse_while_changed(session, stack)
    output.progress(f"Looking at stack {stack}")
    seen = look(session, stack)
    if not fix:
        _tell(output, session.project.name, stack, seen, {})
        raise typer.Exit(0 if seen.report.is_clean else DRIFTED)
    output.show(*_shown(session.project.name, stack, seen.report))
    fixed = mend.fix(session, stack, seen, output, allow_interruption=allow_interruption, verify=verify)
    after = fixed.after.report
    _tell(
        output,
        session.project.name,
        stack,
        fixed.after,
        {**fixed.report, "found": [item.as_json() for item in seen.report.findings]},
    )
    raise typer.Exit(DRIFTED if after.findings else 0)


def _tell(output: Output, project: str, stack: str, seen: Look, more: dict[str, Any]) -> None:
    report = seen.report
    output.document(
        {
            "stack": stack,
            "drift": len(report.findings),
            "findings": [finding.as_json() for finding in report.findings],
            "pending": [
                {"resource": item.resource, "operation": item.operation, "properties": list(item.properties)}
                for item in report.pending
            ],
            "notes": list(report.notes),
            "resources": report.looked_at,
            **more,
        }
    )
    output.show(*_shown(project, stack, report))


def _shown(project: str, stack: str, report: Report) -> list[Any]:
    """The report for people."""
    shown: list[Any] = []
    if report.findings:
        shown.append(_table(project, stack, report.findings))
    for pending in report.pending:
        changed = f" ({', '.join(pending.properties)})" if pending.properties else ""
        shown.append(f"Not deployed yet: {pending.operation} {pending.resource}{changed}")
    if report.pending:
        shown.append(f"Deploy it: ./medianest up {stack}")
    shown += [f"Note: {note}" for note in report.notes]
    if not report.findings:
        shown.append(f"[bold green]Stack {stack} runs as it was deployed:[/] {report.looked_at} resources.")
    return shown


def _table(project: str, stack: str, findings: tuple[Finding, ...]) -> Any:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from ops.names import short_name

    titles = ("resource", "property", "declared", "recorded", "live", "what it means", "--fix")
    table = Table(*titles, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for finding in findings:
        gap, (what, dot, detail) = finding.interruption, finding.property.partition(".")
        how = finding.mending.value + (f", {gap.part} down for {gap.seconds:.0f} s at most" if gap else "")
        cells = (
            f"{finding.resource} ({finding.kind})",
            f"{what}{dot}{short_name(detail, project, stack)}",
            finding.declared or "-",
            finding.recorded or "-",
            finding.live or "-",
            finding.meaning,
            how,
        )
        table.add_row(*(escape(cell) for cell in cells))
    return table
