"""The command `env` and what belongs to it."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ops.env.down import down
from ops.env.extend import extend
from ops.env.list_environments import list_environments
from ops.env.reap import IdleOption, reap
from ops.env.up import up
from ops.options import JsonOption
from ops.output import Output

env = typer.Typer(
    no_args_is_help=True,
    help="""Environments: stacks to throw away, which cannot be forgotten.

    Each has a lease that expires; `env reap`, run by the clock, removes what is over.

    Examples:

        ./medianest env up pr-17 --ttl 24h --pr 17

        ./medianest env list

        ./medianest env down pr-17""",
)
env.command("up")(up)
env.command("list")(list_environments)
env.command("extend")(extend)
env.command("down")(down)
env.command("reap")(reap)


@env.command("schedule")
def schedule(
    idle: IdleOption = None,
    install: Annotated[bool, typer.Option("--install", help="Write the timer's units and start it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the systemd timer and the cron line that run the reaper every ten minutes, or install the timer.

    Examples:

        ./medianest env schedule --idle 2h

        ./medianest env schedule --idle 2h --install
    """
    from ops import timer
    from ops.env.duration import read_duration
    from ops.paths import project_root

    output = Output(as_json)
    if idle:
        read_duration(idle)
    arguments = ["env", "reap", *(["--idle", idle] if idle else [])]
    made = timer.make_timer(
        "medianest-reaper",
        "Removal of expired environments",
        arguments,
        ("*:0/10", "*/10 * * * *"),
        project_root(),
        os.environ,
    )
    timer.offer(made, os.environ, output, start=install, done="The reaper runs every ten minutes")
