"""The commands `state list` and `state restore`: a damaged or lost state, put back from a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ops.errors import ExitCode, OperationError
from ops.options import JsonOption, StackArgument, YesOption
from ops.output import Output

if TYPE_CHECKING:
    from docker import APIClient

    from ops.session import Session
    from ops.state import FileBackend
    from ops.state_copies import Copy

state = typer.Typer(
    no_args_is_help=True,
    help="""Look after Pulumi's state: its copies, and what to do when it is damaged or lost.

    Examples:

        ./medianest state list staging

        ./medianest state restore staging""",
)


@state.command("list")
def list_copies(stack: StackArgument, as_json: JsonOption = False) -> None:
    """List the copies of a stack's state, good ones first, the newest first.

    Examples:

        ./medianest state list staging
    """
    from ops.output import FILE_WIDTH
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    found = all_copies(session, stack)
    output.document(
        {
            "copies": [
                {
                    "number": number,
                    "updated": copy.updated,
                    "resources": len(copy.state.resources) if copy.state else 0,
                    "source": copy.source,
                    "problem": copy.problem or None,
                    "file": str(copy.path),
                }
                for number, copy in enumerate(found, start=1)
            ]
        }
    )
    if as_json:
        return
    from rich import box
    from rich.table import Table

    table = Table(
        "copy",
        "state of (UTC)",
        "resources",
        "made by",
        "whole",
        "file",
        box=box.SIMPLE_HEAD,
        width=FILE_WIDTH,
    )
    for number, copy in enumerate(found, start=1):
        table.add_row(
            str(number),
            copy.updated[:19].replace("T", " "),
            str(len(copy.state.resources)) if copy.state else "",
            copy.source,
            "yes" if copy.state else f"[red]no:[/] it {copy.problem}",
            str(copy.path),
        )
    output.show(table)


@state.command("restore")
def restore_state(
    stack: StackArgument,
    number: Annotated[
        int, typer.Option("--copy", metavar="N", min=1, help="Which one of `state list`; 1 is the newest.")
    ] = 1,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put a copy in the place of a stack's state, and let Pulumi look at what really is there.

    What has come since the copy is found by its labels: containers that stand in the way of an update
    are removed, backends serve on until the next `up` has replaced them, data is left alone and named.

    Examples:

        ./medianest state restore staging

        ./medianest state restore staging --copy 3
    """
    from ops.engine import connect
    from ops.interrupted import mend
    from ops.preflight.check import clear_dead_locks, judge_locks, refuse
    from ops.session import open_session
    from ops.state_copies import put_back

    output, session = Output(as_json), open_session()
    files = file_backend(session)
    copy = choose(all_copies(session, stack), number, stack)
    locks, problems = judge_locks(session, stack)
    refuse(problems, f"the state of stack {stack} cannot be replaced now")
    api = connect(session.environment)
    check_owner(session, stack, copy, api)
    if not yes and is_whole(session, stack):
        raise OperationError(
            f"the state of stack {stack} is whole: nothing has to be restored",
            "If it is to have an earlier one all the same: "
            f"./medianest state restore {stack} --copy {number} --yes",
            ExitCode.REFUSED,
        )
    clear_dead_locks(locks, output.progress)
    aside = put_back(files, session.project.name, stack, copy)
    output.progress(f"The state is that of {copy.updated[:19].replace('T', ' ')} again ({copy.path.name})")
    mend(session, stack, api, output.progress)
    refresh(session, stack)
    report = tidy(session, stack, api, output)
    api.close()
    output.document(
        {"stack": stack, "copy": str(copy.path), "kept_aside": str(aside) if aside else None, **report}
    )
    output.show(
        f"[bold green]The state of stack {stack} is whole again.[/]",
        *([f"What was there is kept as {aside}"] if aside else []),
        *(f"It does not know: {name}" for name in report["unknown"]),
        f"Now run: ./medianest up {stack}",
    )


def file_backend(session: Session) -> FileBackend:
    if session.files is None:
        raise OperationError(
            "the state is not in a directory: its back end keeps copies itself",
            f"Look into the back end's own history: {session.environment['PULUMI_BACKEND_URL']}",
            ExitCode.USAGE,
        )
    return session.files


def all_copies(session: Session, stack: str) -> list[Copy]:
    """Every copy of a stack's state. Raises OperationError for a stack that nobody has heard of."""
    from ops.state_copies import copies

    found = copies(file_backend(session), session.project.name, stack)
    if not found:
        session.require_stack(stack)
    return found


def choose(found: list[Copy], number: int, stack: str) -> Copy:
    """The copy of a number, which must be good. Raises OperationError."""
    if not found or found[0].state is None:
        raise OperationError(
            f"there is no good copy of the state of stack {stack}",
            "Put back the user's state directory from a backup of your own.",
        )
    if number > len(found):
        raise OperationError(
            f"there are {len(found)} copies, and no copy {number}",
            f"Look at: ./medianest state list {stack}",
            ExitCode.USAGE,
        )
    copy = found[number - 1]
    if copy.state is None:
        raise OperationError(
            f"copy {number} is damaged itself: it {copy.problem}", "Choose another.", ExitCode.REFUSED
        )
    return copy


def check_owner(session: Session, stack: str, copy: Copy, api: APIClient) -> None:
    """A copy must be of the stack that is on the engine, if one is. Raises OperationError."""
    from ops.engine import resources

    owner = copy.state.owner if copy.state else None
    foreign = [item for item in resources(api, session.project.name, stack) if item.owner != owner]
    if foreign:
        raise OperationError(
            f"the copy is of another stack {stack} than the one on this engine: {foreign[0]} is not of it",
            f"Choose another copy (./medianest state list {stack}) or the right engine (DOCKER_HOST).",
            ExitCode.REFUSED,
        )


def is_whole(session: Session, stack: str) -> bool:
    try:
        return session.state(stack) is not None
    except OperationError:
        return False


def refresh(session: Session, stack: str) -> None:
    """Let Pulumi look at what is there. Raises OperationError."""
    from ops.progress import Progress
    from ops.pulumi import Pulumi, said

    with (
        Pulumi(session.project, stack, session.environment) as pulumi,
        Progress(f"Looking at what is there of stack {stack}") as progress,
    ):
        outcome = pulumi.change("refresh", progress.take, progress.interrupted)
    if outcome.exit_code:
        raise OperationError(
            f"the state of stack {stack} was put back, but Pulumi could not look at what is there: "
            f"{said(outcome.said)}",
            f"Run: ./medianest up {stack}. All that Pulumi said: {outcome.log}",
        )


def tidy(session: Session, stack: str, api: APIClient, output: Output) -> dict[str, list[str]]:
    """Remove containers that the state does not know and that are in the way; name the others."""
    from ops.engine import remove, resources
    from ops.unknown import in_the_way, unknown

    now = session.state(stack)
    found = unknown(now, resources(api, session.project.name, stack)) if now else []
    removed = in_the_way(found)
    for resource in removed:
        output.progress(f"Removing what the state does not know and an update would meet: {resource}")
        remove(api, resource)
    return {
        "removed": [str(resource) for resource in removed],
        "unknown": [str(resource) for resource in found if resource not in removed],
    }
