"""The command `report` and what belongs to it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from ops.errors import ExitCode
from ops.options import JsonOption, StackArgument
from ops.output import Output
from ops.report.kept import Kind
from ops.report.performance.command import performance

if TYPE_CHECKING:
    from ops.timer import Timer

HistoryOption = Annotated[
    bool, typer.Option("--history", help="Those that were kept, also where the guardian does not run.")
]
SinceOption = Annotated[str, typer.Option(help="With --history: how far back, as 30m, 24h or 7d.")]

report = typer.Typer(
    no_args_is_help=True,
    help="""Reports on a watched stack, which makes them by itself and keeps them.

    memory, health and workers make one now, which is kept with those of the schedule; --history shows what
    was kept. performance tells of a span of time, from the figures of Prometheus.

    Examples:

        ./medianest report memory staging

        ./medianest report health staging --history --since 7d

        ./medianest report performance staging --since 24h --out reports""",
)


@report.command("memory")
def memory(
    stack: StackArgument,
    history: HistoryOption = False,
    since: SinceOption = "24h",
    as_json: JsonOption = False,
) -> None:
    """What each container holds, against its limit.

    Examples:

        ./medianest report memory staging

        ./medianest report memory staging --history --since 6h --json
    """
    _report(Kind.MEMORY, stack, history, since, as_json)


@report.command("health")
def health(
    stack: StackArgument,
    history: HistoryOption = False,
    since: SinceOption = "24h",
    as_json: JsonOption = False,
) -> None:
    """Whether every part serves, and what backends say of their services. Exits with 1 when not.

    A report that fails is a critical line in the guardian's log as well. --history tells since when it
    has been so, and exits with 0.

    Examples:

        ./medianest report health staging

        ./medianest report health staging --history --since 7d
    """
    _report(Kind.HEALTH, stack, history, since, as_json)


@report.command("workers")
def workers(
    stack: StackArgument,
    history: HistoryOption = False,
    since: SinceOption = "7d",
    as_json: JsonOption = False,
) -> None:
    """What the worker processes of each replica have done since its start.

    Examples:

        ./medianest report workers staging

        ./medianest report workers staging --history --since 30d
    """
    _report(Kind.WORKERS, stack, history, since, as_json)


report.command("performance")(performance)


@report.command("schedule")
def schedule(
    kind: Annotated[Kind, typer.Argument(help="The report that is to be made.")],
    stack: StackArgument,
    install: Annotated[bool, typer.Option("--install", help="Write the timer's units and start it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the systemd timer and the cron line that make a report from here, or install the timer.

    A watched stack makes its reports by itself (medianest:guardian: {reports: …}). A timer of the host is
    for who wants a failed one to be a failed unit as well.

    Examples:

        ./medianest report schedule health staging

        ./medianest report schedule health staging --install
    """
    from ops import timer

    output = Output(as_json)
    made = make_schedule(kind, stack)
    timer.offer(made, os.environ, output, start=install, done="The report is made by the clock")


# As the guardian has it: when, in systemd's words and in cron's.
MOMENTS = {
    Kind.MEMORY: ("*:0/5", "*/5 * * * *"),
    Kind.HEALTH: ("*:*", "* * * * *"),
    Kind.WORKERS: ("daily", "0 0 * * *"),
}


def make_schedule(kind: Kind, stack: str) -> Timer:
    """The timer of one report of a stack. Raises OperationError for a stack that is not known."""
    from ops.session import open_session
    from ops.timer import make_timer

    session = open_session()
    session.require_stack(stack)
    return make_timer(
        f"medianest-report-{kind}-{stack}",
        f"Report {kind} of stack {stack}",
        ["report", kind.value, stack, "--json"],
        MOMENTS[kind],
        session.project.root,
        os.environ,
    )


def _report(kind: Kind, stack: str, history: bool, since: str, as_json: bool) -> None:
    from ops.engine import connect
    from ops.env.duration import read_duration
    from ops.report import kept, tables
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    earliest = time.time() - read_duration(since).total_seconds()
    guardian = kept.guardian_of(session.deployed(stack).outputs, stack)
    api = connect(session.environment)
    if history:
        found = kept.read(api, guardian, kind, earliest)
        api.close()
        output.document({"stack": stack, "report": kind.value, "reports": found})
        shown = f"{len(found)} reports since {tables.moment(earliest)}"
        output.show(*([tables.many(kind, found)] if found else []), shown)
        return
    with output.working(f"Asking the guardian of stack {stack}"):
        made = kept.make(api, guardian, kind, stack)
    api.close()
    output.document({"stack": stack, **made})
    output.show(tables.one(kind, made))
    if made.get("healthy") is False:
        from rich.markup import escape

        output.show(f"[bold red]Stack {stack} is not healthy:[/] {escape(tables.words_of(made))}")
        raise typer.Exit(ExitCode.FAILED)
    output.show(f"[dim]Kept with those of the schedule: ./medianest report {kind} {stack} --history[/]")
