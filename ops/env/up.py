"""The command `env up`: from a name to a running, verified environment; or one that sleeps, woken."""

from __future__ import annotations

from contextlib import closing, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.env.extend import NameArgument, TtlOption
from ops.errors import OperationError
from ops.options import JsonOption, YesOption
from ops.output import Output, seconds

if TYPE_CHECKING:
    from docker import APIClient

    from ops.deploy import Phases
    from ops.env.environment import Environment
    from ops.env.locks import Hold
    from ops.env.plan import Plan
    from ops.session import Session


def up(
    name: NameArgument,
    ttl: TtlOption = None,
    base: Annotated[
        str | None,
        typer.Option("--from", metavar="STACK", help="Whose settings it gets. [default: staging]"),
    ] = None,
    pull_request: Annotated[
        int | None, typer.Option("--pr", min=1, metavar="N", help="It goes when this pull request is closed.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="none|seed|copy:STACK",
            help="What it begins with. [default: seed, where the settings have a command]",
        ),
    ] = None,
    verify: Annotated[
        bool | None,
        typer.Option("--verify/--no-verify", help="Default: when something changed.", show_default=False),
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make an environment, a stack to throw away; or update, wake and extend one that is there.

    It gets the settings of another stack with what differs: one replica, a free port, secrets of its
    own, no protection. It goes by itself when its time is over: see `./medianest env reap`.

    Examples:

        ./medianest env up pr-17 --ttl 24h --pr 17

        ./medianest env up try-it --from staging --data none

        ./medianest env up bug-4711 --data copy:staging
    """
    from ops.deploy import Phases
    from ops.engine import connect
    from ops.env.duration import written
    from ops.env.environment import find
    from ops.env.initial_data import choose_data
    from ops.env.locks import only_run
    from ops.env.plan import plan
    from ops.session import open_session
    from ops.up import ensure_setup, summarize

    output, phases = Output(as_json), Phases()
    with phases.measure("setup"):
        ensure_setup(output, yes)
    session = open_session()
    with only_run(session.project.name, name) as hold, closing(connect(session.environment)) as api:
        environment = find(session, api, name)
        refuse_leftovers(environment)
        planned = plan(session, environment, datetime.now(UTC), ttl=ttl, base=base, pull_request=pull_request)
        fill = choose_data(session, planned, data, new=environment.lease is None)
        update, report = carry_out(session, api, environment, planned, hold, output, phases, verify=verify)
        if fill is not None:
            with phases.measure("data"):
                report["data"] = fill(api)
    report["phases"] = {**phases.seconds, "total": round(phases.total, 2)}
    report["environment"] = {
        "name": name,
        "url": update.outputs["lease"]["url"],
        "expires": written(planned.expires),
        "base": planned.base,
        "pull_request": planned.pull_request,
    }
    output.document(report)
    if not as_json:
        summarize(output, name, update, report, phases)
        output.show(
            f"It lives until {planned.expires:%Y-%m-%d %H:%M} UTC, at {update.outputs['lease']['url']}"
        )


def refuse_leftovers(environment: Environment) -> None:
    """What a lost state has left under the name has to go first. Raises OperationError."""
    if environment.lost:
        raise OperationError(
            f"the state of environment {environment.name} is lost, and the engine still has it",
            f"Clear what is left of it: ./medianest env down {environment.name}",
        )


def carry_out(
    session: Session,
    api: APIClient,
    environment: Environment,
    planned: Plan,
    hold: Hold,
    output: Output,
    phases: Phases,
    *,
    verify: bool | None,
) -> tuple[Any, dict[str, Any]]:
    """Wake it, extend it, and deploy what has changed. Returns the update and the report on it."""
    from ops import deploy, unchanged
    from ops.env import settings as settings_of
    from ops.env.extend import replace_lease
    from ops.env.locks import turn
    from ops.env.ports import find_port
    from ops.plan.consent import Consent
    from ops.project import load_settings

    name, lease, path = planned.name, environment.lease, session.project.settings_file(planned.name)
    limits, address = planned.base_settings.environments, planned.base_settings.gateway.address
    port = find_port(session, api, name, limits, address, lease, hold)
    rendered = planned.text(port)
    for secret in rendered.left_out:
        output.progress(
            f"Secret {secret} of stack {planned.base} is not handed on: {name} generates its own. Where it "
            f"must be a certain one: pulumi config set --secret {secret} -s {name}"
        )
    report: dict[str, Any] = {}
    woken = wake(api, session, environment, port, output)
    if woken is not None:
        phases.seconds["wake"] = round(woken, 2)
    before = path.read_text() if settings_of.is_made_by_us(path) else ""
    if before and settings_of.without_expiry(before) == settings_of.without_expiry(rendered.text):
        inputs = unchanged.gather(session, name, load_settings(session.project, name))
        if before != rendered.text and unchanged.is_known(session, name, inputs):
            with phases.measure("extend"):
                report["extended"] = replace_lease(session, name, rendered.text, current=True)
    settings_of.write(path, rendered.text)
    inputs = unchanged.gather(session, name, load_settings(session.project, name))
    try:
        # What needs no update need not wait for those of others.
        known = unchanged.is_known(session, name, inputs)
        with nullcontext() if known else turn(session.project.name, output.progress):
            update, deployed = deploy.carry_out(
                name,
                output,
                phases,
                verify,
                fast=True,
                probe=True,
                watch=False,
                decide=None,
                # It is there to be tried on.
                consent=Consent.NOT_NEEDED if known else Consent.GIVEN,
            )
    except BaseException:
        if lease is None and session.state(name) is None:
            # Nothing has begun: nothing stays.
            settings_of.remove(path)
        raise
    return update, {**deployed, **report}


def wake(
    api: APIClient, session: Session, environment: Environment, port: int, output: Output
) -> float | None:
    """Start it where it was stopped. Returns the seconds; None where it was not, or gets another port."""
    from ops.env import sleep

    state, lease = environment.state, environment.lease
    if state is None or lease is None or "containers" not in state.outputs or lease.port != port:
        return None
    parts = sleep.parts_of(api, session.project.name, environment.name, lease.owner)
    if not sleep.is_stopped(parts):
        return None
    took = sleep.wake(api, state, output.progress)
    output.progress(f"Awake after {seconds(took)}")
    return took
