"""The command `health`: is a deployed stack well, by five checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ops.errors import ExitCode
from ops.options import JsonOption, StackArgument
from ops.output import Output

if TYPE_CHECKING:
    from ops.health.facts import Build
    from ops.session import Session


def health(
    stack: StackArgument,
    build: Annotated[
        bool,
        typer.Option("--build", help="Build the image anew, from nothing, to measure how long it takes."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a deployed stack: start-up and secrets, image build, Redis and tokens, memory, workers.

    Each check gives a verdict (ok, warn, critical, unknown) with its figure and its threshold; what does
    not hold comes with the evidence and the next step. The thresholds are settings of the stack.

    Exits with 0 when all five hold (a warning does), with 1 when one is critical or unknown.

    Examples:

        ./medianest health staging

        ./medianest health staging --json

        ./medianest health staging --build
    """
    from ops import checks
    from ops.engine import connect
    from ops.health.gather import Look
    from ops.health.judge import judge
    from ops.health.trial_build import build_anew
    from ops.project import load_settings
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    state = session.deployed(stack)
    settings = load_settings(session.project, stack)
    release = str(state.outputs["release"])
    measured = build_anew(session, stack, state.owner or "") if build else recorded(session, stack, release)
    api = connect(session.environment)
    with output.working(f"Looking at stack {stack}"):
        found = judge(stack, Look(api, state.outputs, settings).gather(measured), settings)
    api.close()
    well = checks.all_hold(found)
    output.document(
        {
            "stack": stack,
            "healthy": well,
            "release": release,
            "checks": [check.as_json() for check in found],
        }
    )
    colour, word = ("green", "healthy") if well else ("red", "not healthy")
    output.show(*checks.shown(found), f"[bold {colour}]Stack {stack} is {word}: {checks.summary(found)}.[/]")
    if not well:
        raise typer.Exit(ExitCode.FAILED)


def recorded(session: Session, stack: str, release: str) -> Build:
    """The build of the release that serves, as `up` put it on record."""
    from ops.health.facts import Build
    from ops.releases.records import build_seconds, read_records

    took = build_seconds(read_records(session, stack), release)
    if took is None:
        return Build(None, f"no build of release {release} is on record: only `./medianest up` notes it")
    return Build(took, "on record")
