"""The command `restore`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.backup.command import KeyFileOption, describe, shelf_for
from ops.errors import ExitCode, OperationError
from ops.options import JsonOption, StackArgument, YesOption
from ops.output import Output, seconds

if TYPE_CHECKING:
    from ops.backup.manifest import Manifest
    from ops.backup.target import Target


def restore(
    stack: StackArgument,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="A backup.", show_default=False)] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="STACK", help="The backup is of this other stack.")
    ] = None,
    key_file: KeyFileOption = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take back a restore that was cut off.")] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Bring back a backup into a running stack: its database, and the files of its volumes.

    Everything is restored beside what is there, and compared with what was backed up. Then the
    backends stop for some seconds, while both change places; Redis is emptied. Where it fails, what
    was there is there.

    Examples:

        ./medianest restore staging ~/.local/state/medianest/backups/staging/staging-20261124T030000Z.backup

        ./medianest restore review-17 staging-20261124T030000Z.backup --from staging --key-file staging.key

        ./medianest restore staging --undo
    """
    from ops.backup import restore as restoring
    from ops.backup.keys import keys_at_hand
    from ops.backup.meter import Meter
    from ops.backup.target import open_target
    from ops.preflight.check import refuse_while_changed
    from ops.session import open_session

    output, meter, session = Output(as_json), Meter(), open_session()
    if (file is None) == (not undo):
        raise OperationError(
            "restore takes a backup's FILE, or --undo",
            f"Look at: ./medianest backup list {stack}",
            ExitCode.USAGE,
        )
    session.require_stack(stack)
    refuse_while_changed(session, stack)
    target = open_target(session, stack)
    with shelf_for(session, stack, None).only_one():
        if file is None:
            took_back = restoring.undo(target, meter)
            output.document({"stack": stack, "taken_back": took_back})
            output.show(
                f"Stack {stack} has what it had before." if took_back else "There is nothing to take back."
            )
            return
        target.clear_helpers()
        keys = keys_at_hand(session, stack, key_file)
        if source and source != stack and source in session.stacks():
            other = keys_at_hand(session, source)
            keys = type(keys)([*keys.keys, *other.keys], keys.passphrase)
        manifest, left_out = restoring.of_data(restoring.inspect(file, keys, meter), target.files)
        if left_out:
            output.progress(
                f"Left out: {', '.join(left_out)}, which a former version backed up. What watches a stack "
                "is no data of it."
            )
        problems_found = restoring.judge(manifest, stack, list(target.files), target.server.version(), source)
        restoring.refuse(file, problems_found)
        restoring.check_room(target, manifest)
        if not yes:
            confirm(target, manifest)
        done = restoring.restore(target, file, keys, manifest, meter)
    output.document({"stack": stack, **done.as_json()})
    output.show(
        f"[bold green]Stack {stack} has what it had at {manifest.made}:[/] {describe(manifest)}",
        f"It took {seconds(done.seconds)}; the backends did not serve for {seconds(done.downtime)}.",
    )


def confirm(target: Target, manifest: Manifest) -> None:
    """Say what will be replaced, and have the stack's name typed. Raises OperationError otherwise."""
    stack = target.stack
    found = target.server.fingerprint(target.server.database)
    untouched = sorted(set(target.files) - set(manifest.volumes))
    lines = [
        f"Stack {stack} will have what {manifest.stack} had at {manifest.made}, release {manifest.release}.",
        f"  database {target.server.database}: {found.rows} rows in {len(found.tables)} tables are replaced "
        f"by {manifest.database.rows} rows in {len(manifest.database.tables)} tables",
        *(f"  volume {name}: all files are replaced" for name in manifest.volumes),
        *(f"  volume {name}: stays as it is, the backup has none" for name in untouched),
        "  Redis: emptied",
        "The backends stop for some seconds.",
    ]
    if not sys.stdin.isatty():
        raise OperationError(
            "restore replaces data, and nobody is there to ask:\n" + "\n".join(lines),
            "Nothing was touched. Run it with --yes. "
            f"To save what is there first: ./medianest backup {stack}",
            ExitCode.USAGE,
        )
    typer.echo("\n".join(lines), err=True)
    if typer.prompt(f"Type the stack's name ({stack}) to go on", err=True) != stack:
        raise OperationError("nothing was touched", code=ExitCode.REFUSED)
