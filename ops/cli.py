"""The command line, as a table of contents."""

from __future__ import annotations

from typing import Any

import typer

from ops.activate import activate
from ops.backup.command import backup
from ops.backup.restore_command import restore
from ops.completion import completion
from ops.dashboard import dashboard
from ops.doctor.command import doctor
from ops.down import down
from ops.drift.command import drift
from ops.env.command import env
from ops.errors import ExitCode, OperationError
from ops.health.command import health
from ops.list_stacks import list_stacks
from ops.logs import logs
from ops.options import DebugOption, QuietOption, VerboseOption
from ops.output import Verbosity, verbosity
from ops.plan.command import PreviewCommand, preview
from ops.releases.command import releases
from ops.report.command import report
from ops.rollback import rollback
from ops.run_tests import run_tests
from ops.secrets.command import app as secrets
from ops.setup.command import setup
from ops.soak import soak
from ops.state_command import state
from ops.status import status
from ops.up import up
from ops.verify import verify
from ops.watch.command import watch


class _Commands(typer.core.TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise OperationError("interrupted", code=ExitCode.INTERRUPTED) from interrupt


app = typer.Typer(
    cls=_Commands,
    epilog="Exit codes: 0 done, 1 failed, 2 bad usage or settings, 3 refused before anything was touched, "
    "4 not verified, 130 interrupted. The options above may stand anywhere.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def options(debug: DebugOption = False, quiet: QuietOption = False, verbose: VerboseOption = False) -> None:  # noqa: ARG001 - main() looks at it
    """Deploy a backend with Postgres and Redis to your own Docker hosts."""
    if quiet and verbose:
        raise OperationError("--quiet and --verbose exclude each other", code=ExitCode.USAGE)
    if quiet or verbose:
        verbosity.set(Verbosity.QUIET if quiet else Verbosity.VERBOSE)


for name, command, panel in (
    ("up", up, "Stacks"),
    ("down", down, "Stacks"),
    ("releases", releases, "Stacks"),
    ("rollback", rollback, "Stacks"),
    ("restore", restore, "Stacks"),
    ("verify", verify, "Stacks"),
    ("health", health, "Stacks"),
    ("status", status, "Stacks"),
    ("watch", watch, "Stacks"),
    ("dashboard", dashboard, "Stacks"),
    ("drift", drift, "Stacks"),
    ("logs", logs, "Stacks"),
    ("soak", soak, "Stacks"),
    ("list", list_stacks, "Stacks"),
    ("setup", setup, "This machine"),
    ("doctor", doctor, "This machine"),
    ("activate", activate, "This machine"),
    ("completion", completion, "This machine"),
    ("test", run_tests, "This project"),
):
    app.command(name, rich_help_panel=panel)(command)
app.add_typer(env, name="env", rich_help_panel="Stacks")
app.command("preview", cls=PreviewCommand, rich_help_panel="Stacks")(preview)
app.add_typer(secrets, name="secrets", rich_help_panel="Stacks")
app.add_typer(backup, name="backup", rich_help_panel="Stacks")
app.add_typer(report, name="report", rich_help_panel="Stacks")
app.add_typer(state, name="state", rich_help_panel="Stacks")
