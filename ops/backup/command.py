"""The command `backup` and what belongs to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.errors import ExitCode, OperationError
from ops.options import JsonOption, StackArgument
from ops.output import Output, megabytes, seconds

if TYPE_CHECKING:
    from ops.backup.manifest import Manifest
    from ops.backup.shelf import Shelf
    from ops.session import Session

MAKE = "make"

ToOption = Annotated[
    Path | None, typer.Option("--to", metavar="DIR", help="Where backups are, instead of the setting.")
]
KeyFileOption = Annotated[
    Path | None, typer.Option("--key-file", metavar="FILE", help="A file with the key of another stack.")
]


class BackupCommands(typer.core.TyperGroup):
    """`backup STACK` makes one; `backup list STACK` and the others have names of their own."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            args = [MAKE, *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # An option first belongs to `make` too, but for the help of the whole.
        if args and args[0].startswith("-") and args[0] != "--help":
            args = [MAKE, *args]
        return super().parse_args(ctx, args)


backup = typer.Typer(
    cls=BackupCommands,
    no_args_is_help=True,
    help="""Back up a stack's database and the files of its volumes.

    `backup STACK` makes a backup: consistent, compressed, encrypted with the stack's key, and tried out
    by a restore into a scratch database.

    Examples:

        ./medianest backup staging

        ./medianest backup staging --to /mnt/backups --json

        ./medianest backup list staging

        ./medianest backup schedule staging --install""",
)


@backup.command(MAKE, hidden=True)
def make(
    stack: Annotated[str, typer.Argument(metavar="STACK", help="The stack.", show_default=False)] = "",
    to: ToOption = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Restore it into a scratch database to see.")
    ] = True,
    due: Annotated[
        bool, typer.Option("--due", help="Only where the setting backup.schedule asks for one now.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a backup of a running stack, and verify it. The stack serves on meanwhile.

    With --due and no STACK, of every stack whose settings ask for one now.

    Examples:

        ./medianest backup make staging

        ./medianest backup staging --no-verify

        ./medianest backup --due
    """
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    if not stack and not due:
        raise OperationError("which stack?", "Run: ./medianest backup STACK", ExitCode.USAGE)
    reports = []
    for name in [stack] if stack else scheduled(session):
        report = make_one(session, name, to, verify=verify, due=due, output=output)
        reports.append({"stack": name, **report})
    if stack:
        output.document(reports[0])
    else:
        output.document({"backups": reports})


def scheduled(session: Session) -> list[str]:
    """Stacks that are deployed and whose settings have a schedule."""
    from ops.project import load_settings

    return [
        stack
        for stack in session.project.stacks()
        if session.state(stack) and load_settings(session.project, stack).backup.schedule
    ]


def make_one(
    session: Session, stack: str, to: Path | None, *, verify: bool, due: bool, output: Output
) -> dict[str, Any]:
    """Make one backup, if it is due where that is asked. Returns the report for machines."""
    from datetime import datetime

    from ops.backup.make import make as run
    from ops.backup.restore import refuse_half_restored
    from ops.backup.shelf import is_due, shelf_of
    from ops.backup.target import open_target
    from ops.preflight.check import refuse_while_changed
    from ops.project import load_settings

    session.require_stack(stack)
    settings = load_settings(session.project, stack).backup
    shelf = shelf_of(stack, to, settings.directory)
    if due:
        made = [item.made for item in shelf.backups() if item.verified or not verify]
        if not is_due(settings.schedule, made[0] if made else None, datetime.now().astimezone()):
            output.show(f"No backup of stack {stack} is due.")
            return {"due": False}
    refuse_half_restored(session, stack)
    # Its containers may be on their way out, its database about to be replaced.
    refuse_while_changed(session, stack)
    target = open_target(session, stack)
    made_one = run(target, shelf, verify=verify)
    manifest = made_one.manifest
    took = " and ".join(f"{name} {seconds(value)}" for name, value in made_one.seconds.items())
    output.show(
        f"[bold green]Stack {stack} is backed up{' and verified' if made_one.verified else ''}:[/] "
        f"{made_one.path}",
        f"{megabytes(made_one.path.stat().st_size)}: {describe(manifest)} ({took})",
        *(f"removed by retention: {path.name}" for path in made_one.removed),
        *([] if made_one.verified else ["[yellow]Not verified:[/] nobody knows whether it can be restored."]),
        f"Its key is in the state. Keep a copy elsewhere: ./medianest backup key {stack}",
    )
    return made_one.as_json()


def describe(manifest: Manifest) -> str:
    """What is in a backup, in words."""
    database = manifest.database
    files = sum(part.size for part in manifest.parts if part.name.startswith("files/"))
    volumes = f", {megabytes(files)} of files in {', '.join(manifest.volumes)}" if manifest.volumes else ""
    return f"{database.rows} rows in {len(database.tables)} tables{volumes}; not Redis, which is a cache"


def shelf_for(session: Session, stack: str, to: Path | None) -> Shelf:
    """The shelf of a stack, also of one whose settings are gone."""
    from ops.backup.shelf import shelf_of
    from ops.project import load_settings

    setting = None
    if session.project.settings_file(stack).exists():
        setting = load_settings(session.project, stack).backup.directory
    return shelf_of(stack, to, setting)


@backup.command("list")
def list_backups(stack: StackArgument, to: ToOption = None, as_json: JsonOption = False) -> None:
    """List the backups of a stack, the newest first.

    Examples:

        ./medianest backup list staging
    """
    from ops.output import FILE_WIDTH
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    backups = shelf_for(session, stack, to).backups()
    output.document(
        {
            "backups": [
                {
                    "file": str(item.path),
                    "made": item.made.isoformat(),
                    "bytes": item.size,
                    "verified": item.verified,
                }
                for item in backups
            ]
        }
    )
    if as_json:
        return
    if not backups:
        output.show(f"There is no backup of stack {stack}. Make one: ./medianest backup {stack}")
        return
    from rich import box
    from rich.table import Table

    table = Table(
        "made (UTC)", "size", "verified", "file", box=box.SIMPLE_HEAD, pad_edge=False, width=FILE_WIDTH
    )
    for item in backups:
        verified = "yes" if item.verified else "[yellow]no[/]"
        table.add_row(f"{item.made:%Y-%m-%d %H:%M:%S}", megabytes(item.size), verified, str(item.path))
    output.show(table)


@backup.command("verify")
def verify_backup(
    stack: StackArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.", show_default=False)],
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a backup into a scratch database, compare it to the row, and mark it as verified.

    The stack must run: the scratch database is made of its image.

    Examples:

        ./medianest backup verify staging staging-20261124T030000Z.unverified
    """
    from ops.backup.keys import keys_at_hand
    from ops.backup.make import check
    from ops.backup.meter import Meter
    from ops.backup.restore import opened
    from ops.backup.shelf import UNVERIFIED, Shelf
    from ops.backup.target import open_target
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    with opened(file):
        target = open_target(session, stack)
    shelf = Shelf(file.parent, stack)
    with shelf.only_one():
        target.clear_helpers()
        check(target, file, keys_at_hand(session, stack, key_file), Meter())
        path = shelf.mark_verified(file) if file.suffix == UNVERIFIED else file
    output.document({"stack": stack, "file": str(path), "verified": True})
    output.show(f"[bold green]It can be restored:[/] {path}")


@backup.command("key")
def show_key(stack: StackArgument) -> None:
    """Print the key of a stack's backups, to be kept where the state is not.

    Who has the key and a backup can read all of the stack's data.

    Examples:

        ./medianest backup key staging > /safe/place/staging.key
    """
    from ops.backup.keys import own_key
    from ops.session import open_session

    session = open_session()
    session.require_stack(stack)
    print(own_key(session, stack))


@backup.command("schedule")
def schedule(
    stack: StackArgument,
    install: Annotated[bool, typer.Option("--install", help="Write the timer's units and start it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the systemd timer and the cron line for the setting backup.schedule, or install the timer.

    Examples:

        ./medianest backup schedule staging

        ./medianest backup schedule staging --install
    """
    from ops import timer
    from ops.backup.schedule import make_schedule
    from ops.project import load_settings
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    session.require_stack(stack)
    moment = load_settings(session.project, stack).backup.schedule
    if moment is None:
        raise OperationError(
            f"the settings of stack {stack} have no schedule",
            'Set one: medianest:backup: {schedule: "03:00"}',
            ExitCode.USAGE,
        )
    made = make_schedule(stack, session.project.root, moment, os.environ)
    done = f"Stack {stack} is backed up daily at {moment}"
    timer.offer(made, os.environ, output, start=install, done=done)
