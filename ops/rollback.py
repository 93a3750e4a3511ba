"""The command `rollback`: back to an earlier release, through the same gate as `up` and without a build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ops.errors import ExitCode, OperationError
from ops.options import AllowInterruptionOption, JsonOption, StackArgument, YesOption
from ops.output import Output

if TYPE_CHECKING:
    from components.settings import StackSettings
    from ops.releases.entries import Release
    from ops.session import Session
    from ops.settings_change import SettingsChange


def rollback(
    stack: StackArgument,
    release: Annotated[
        str | None,
        typer.Argument(
            metavar="[RELEASE]", help="Its id, or how that begins. Default: the last good one before this."
        ),
    ] = None,
    verify: Annotated[bool, typer.Option("--verify/--no-verify", help="Verify what runs then.")] = True,
    allow_interruption: AllowInterruptionOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go back to an earlier release: its image and its settings, with today's secrets, and no build.

    The release is pinned in the stack's settings file, so that neither `up` nor a plain `pulumi up`
    brings the later one back; `up --unpin` lifts that. Refuses to go back across a contracted schema.
    What else the tree declares is deployed as `up` would.

    Examples:

        ./medianest rollback staging

        ./medianest rollback staging 03b1c06852f0

        ./medianest rollback staging --json
    """
    from ops.up import run

    def decide(session: Session, stack: str, output: Output) -> SettingsChange:
        return go_back(session, stack, release, output)

    # Every reason to do nothing is a reason to refuse, so nothing is looked up in a cache.
    run(
        stack,
        verify=verify,
        fast=False,
        allow_interruption=allow_interruption,
        yes=yes,
        as_json=as_json,
        decide=decide,
    )


def go_back(session: Session, stack: str, wanted: str | None, output: Output) -> SettingsChange:
    """The change of the settings that goes back. Raises OperationError and has touched nothing then."""
    from ops.engine import connect
    from ops.pin import pin_to
    from ops.project import load_settings
    from ops.releases.choice import choose, schema_note
    from ops.releases.known import read_releases

    session.require_stack(stack)
    state = session.state(stack)
    if state is None or not state.outputs:
        raise OperationError(
            f"stack {stack} is not deployed: there is no release to go back to",
            f"Run: ./medianest up {stack}",
            ExitCode.REFUSED,
        )
    settings = load_settings(session.project, stack)
    pinned = settings.pin.release if settings.pin else ""
    api = connect(session.environment)
    releases = read_releases(session, stack, api, pinned)
    api.close()
    target = choose(stack, releases, wanted, pinned)
    change = pin_to(session, stack, target)
    if note := schema_note(releases, target):
        output.progress(note)
    for line in lost(settings, target):
        output.progress(line)
    first = f"{target.first_deployed:%Y-%m-%d %H:%M} UTC"
    output.progress(f"Rolling back to release {target.id}, first deployed {first}")
    return change


def lost(settings: StackSettings, target: Release) -> list[str]:
    """What the target had and a later release gave up: it comes back, but not as it was."""
    from ops.releases.entries import complete

    then = complete(target.settings)
    secrets = settings.backend.secrets.keys() | settings.idle.secrets.keys()
    volumes = {volume.name for volume in [*settings.backend.volumes, *settings.idle.volumes]}
    return [
        *(
            f"Secret {name} was given up since: a new value is made, unless the team sets it."
            for name in sorted(set(then.get("secrets") or ()) - secrets)
        ),
        *(
            f"Volume {volume['name']} was given up since: it begins empty."
            for volume in then.get("volumes") or ()
            if volume["name"] not in volumes
        ),
    ]
