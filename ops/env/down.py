"""The command `env down`."""

from __future__ import annotations

import time
from contextlib import closing

from ops.env.extend import NameArgument
from ops.options import JsonOption
from ops.output import Output, seconds


def down(name: NameArgument, as_json: JsonOption = False) -> None:
    """Remove an environment: containers, networks, volumes, images, state, history, settings file.

    Also one whose making was cut off, or whose state is lost. Backups of it that somebody has made stay.
    Never a stack that has no lease.

    Examples:

        ./medianest env down pr-17

        ./medianest env down pr-17 --json
    """
    from ops.engine import connect
    from ops.env.environment import find
    from ops.env.locks import only_run
    from ops.env.remove import remove_environment
    from ops.left_alone import end_left_alone
    from ops.session import open_session

    output, began, session = Output(as_json), time.monotonic(), open_session()
    with only_run(session.project.name, name):
        end_left_alone(session, name, output.progress)
        with closing(connect(session.environment)) as api:
            removed = remove_environment(session, api, find(session, api, name), output.progress)
    took = time.monotonic() - began
    output.document(
        {
            "environment": name,
            "removed": removed.anything,
            "seconds": round(took, 2),
            **removed.as_json(),
        }
    )
    if removed.anything:
        output.show(f"[bold green]Environment {name} is gone:[/] nothing of it is left. ({seconds(took)})")
    else:
        output.show(f"There is nothing of environment {name}.")
