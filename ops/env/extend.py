"""Gives an environment another lease, and touches nothing else of it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from components import labels
from ops.errors import ExitCode, OperationError
from ops.options import JsonOption
from ops.output import Output

if TYPE_CHECKING:
    from ops.session import Session

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The environment.", show_default=False)]
TtlOption = Annotated[
    str | None, typer.Option("--ttl", metavar="DURATION", help="How long it lives from now: 30m, 24h, 7d.")
]


def extend(name: NameArgument, ttl: TtlOption = None, as_json: JsonOption = False) -> None:
    """Let an environment live for another while, counted from now. Replaces its lease and nothing else.

    Examples:

        ./medianest env extend pr-17 --ttl 24h

        ./medianest env extend pr-17
    """
    from ops import unchanged
    from ops.engine import connect
    from ops.env.duration import written
    from ops.env.environment import find
    from ops.env.locks import only_run
    from ops.env.plan import plan
    from ops.preflight.check import check_removal
    from ops.project import load_settings
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    project = session.project
    with only_run(project.name, name), closing(connect(session.environment)) as api:
        environment = find(session, api, name)
        lease = environment.lease
        if environment.state is None or lease is None or lease.port is None:
            raise OperationError(
                f"there is no environment {name}", "What there is: ./medianest env list", ExitCode.USAGE
            )
        planned = plan(session, environment, datetime.now(UTC), ttl=ttl, renew=True)
        check_removal(session, name, environment.state, api, output.progress)
        current = project.settings_file(name).exists() and unchanged.is_known(
            session, name, unchanged.gather(session, name, load_settings(project, name))
        )
        changes = replace_lease(session, name, planned.text(lease.port).text, current=current)
    output.document({"environment": name, "expires": written(planned.expires), "changes": changes})
    output.show(f"[bold green]Environment {name} lives until {planned.expires:%Y-%m-%d %H:%M} UTC.[/]")


def replace_lease(session: Session, name: str, text: str, *, current: bool) -> dict[str, int]:
    """Put a text into the settings file of which only the lease is deployed. Returns Pulumi's changes.

    `current` says that what is deployed is what the files say, which then stays so. Raises
    OperationError, and the file is as it was.
    """
    from ops import unchanged
    from ops.env import settings as settings_of
    from ops.failure_report import explain_failure
    from ops.progress import Progress
    from ops.project import load_settings
    from ops.pulumi import Pulumi

    path, project = session.project.settings_file(name), session.project
    before = path.read_text() if path.exists() else None
    settings_of.write(path, text)
    urn = f"urn:pulumi:{name}::{project.name}::docker:index/volume:Volume::{labels.LEASE}"
    with Pulumi(project, name, session.environment) as pulumi, Progress(f"Extending {name}") as progress:
        outcome = pulumi.change(
            "up",
            progress.take,
            progress.interrupted,
            message=f"Extend the lease of {name}",
            options=["--target", urn],
        )
    if outcome.exit_code or progress.update.result != "succeeded":
        if before is not None:
            settings_of.write(path, before)
        raise explain_failure(project.root, name, "up", outcome, progress.update, {})
    if current:
        # Nothing but the lease has changed, so what was deployed still is what the files say.
        inputs = unchanged.gather(session, name, load_settings(project, name))
        unchanged.remember(session, name, inputs)
    return progress.update.changes
