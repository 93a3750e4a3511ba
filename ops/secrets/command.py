"""The commands `secrets list` and `secrets rotate`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.errors import ExitCode, OperationError
from ops.options import JsonOption, StackArgument, YesOption
from ops.output import Output

if TYPE_CHECKING:
    from ops.secrets.rotation import SecretInUse
    from ops.session import Session
    from ops.settings_change import SettingsChange

HELP = """What secrets a stack has, and new values for them.

Examples:

    ./medianest secrets list staging

    ./medianest secrets rotate staging
"""
app = typer.Typer(help=HELP, no_args_is_help=True)


@app.command("list")
def list_secrets(stack: StackArgument, as_json: JsonOption = False) -> None:
    """List a stack's secrets: names, ages, and who reads them. Never a value.

    Examples:

        ./medianest secrets list staging

        ./medianest secrets list staging --json
    """
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    found, now = known_secrets(session, stack), datetime.now(UTC)
    output.document({"stack": stack, "secrets": [as_document(secret) for secret in found]})
    if not as_json:
        output.show(table(found, now))


@app.command("rotate")
def rotate(
    stack: StackArgument,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Default: all that the stack makes itself."),
    ] = None,
    retire_only: Annotated[
        bool, typer.Option("--retire", help="No new value: only retire what a rotation has replaced.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make new values for secrets, and deploy them without dropping a request.

    Postgres and Redis stay as they are: the new password belongs to a second account, which works
    beside the former one until the last backend has changed over. Then the former one is retired. Cut
    off anywhere, the same command carries on.

    Examples:

        ./medianest secrets rotate staging

        ./medianest secrets rotate staging jwt_secret
    """
    from ops.secrets.rotation import too_soon
    from ops.session import open_session
    from ops.up import run

    output, session = Output(as_json), open_session()
    if retire_only:
        retire(session, stack, output)
        return
    chosen = chosen_secrets(session, stack, names or [])
    problems = [] if yes else too_soon(chosen, datetime.now(UTC))
    if problems:
        raise OperationError("\n".join(problems), "Wait, or do it all the same with --yes.", ExitCode.REFUSED)

    def decide(session: Session, stack: str, output: Output) -> SettingsChange:
        output.progress(f"Rotating {', '.join(secret.name for secret in chosen)}")
        return raise_generations(session, stack, chosen)

    run(stack, verify=None, fast=False, yes=yes, as_json=as_json, decide=decide)
    retire(session, stack, output)


def chosen_secrets(session: Session, stack: str, names: list[str]) -> list[SecretInUse]:
    """The secrets to rotate. Raises OperationError, and nothing has been touched."""
    from ops.secrets.rotation import choose

    chosen = choose(names, known_secrets(session, stack), stack)
    if not chosen:
        raise OperationError(f"stack {stack} has no secret that it makes itself", code=ExitCode.USAGE)
    return chosen


def known_secrets(session: Session, stack: str) -> list[SecretInUse]:
    """The secrets of a deployed stack. Raises OperationError where it is not deployed."""
    from ops.project import load_settings
    from ops.secrets.rotation import secrets_in_use

    state = session.deployed(stack)
    return secrets_in_use(state, load_settings(session.project, stack))


def raise_generations(session: Session, stack: str, chosen: list[SecretInUse]) -> SettingsChange:
    """The change of the settings file that makes the new values."""
    from ops import settings_file
    from ops.secrets.rotation import raised
    from ops.settings_change import SettingsChange

    block = settings_file.Block(
        f"{session.project.name}:generations", "rotated", "by ./medianest secrets rotate; keep it"
    )
    path = session.project.settings_file(stack)
    before = settings_file.read(path)
    deployed = session.deployed(stack).outputs.get("generations") or {}
    generations = raised(settings_file.value_of(before, block), deployed, chosen)
    title = f"Rotate {', '.join(secret.name for secret in chosen)}"
    after = settings_file.with_block(before, block, generations)
    return SettingsChange(path, before, after, title, stays=True)


def retire(session: Session, stack: str, output: Output) -> None:
    """Take the former accounts out of use. Raises OperationError where one is still used."""
    from functools import partial

    from components.engine_exec import ask
    from ops.engine import connect
    from ops.project import load_settings
    from ops.secrets.accounts import retire_former

    settings, state = load_settings(session.project, stack), session.deployed(stack)
    api = connect(session.environment)
    try:
        retired = retire_former(state, settings, partial(ask, api))
    finally:
        api.close()
    for retirement in retired:
        if retirement.done:
            output.progress(f"Account {retirement.account} of {retirement.service} is retired")
            continue
        raise OperationError(
            f"the new secrets are in use, but {retirement.users} connections still use the former account "
            f"{retirement.account} of {retirement.service}, so it stays",
            f"See who that is, then run: ./medianest secrets rotate {stack} --retire",
        )


def as_document(secret: SecretInUse) -> dict[str, Any]:
    return {
        "name": secret.name,
        "made": secret.made.isoformat() if secret.made else None,
        "generation": secret.generation,
        "set_by_the_team": secret.given,
        "former_value_kept": secret.former and secret.generation > 1,
        "used_by": list(secret.used_by),
    }


def table(found: list[SecretInUse], now: datetime) -> Any:
    """The secrets for people."""
    from rich import box
    from rich.table import Table

    from ops.releases.command import ago

    shown = Table("secret", "made", "times", "by", "read by", box=box.SIMPLE_HEAD, pad_edge=False)
    for secret in found:
        age = secret.age(now)
        shown.add_row(
            secret.name,
            ago(age.total_seconds()) if age is not None else "",
            str(secret.generation),
            "the team" if secret.given else "the stack",
            ", ".join(secret.used_by),
        )
    return shown
