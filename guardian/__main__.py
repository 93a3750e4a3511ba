"""python3 -m guardian {guard,engine-proxy}: one image, two containers.

In the container of the first: `report KIND` has the running one make a report now, and `document` prints
what its dashboard shows.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Mapping, Sequence

from guardian import log


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Returns the exit code: 0 after SIGTERM, 1 after a failure, 2 for wrong usage or settings."""
    log.configure()
    match list(arguments):
        case ["guard"]:
            from guardian import controller, settings

            try:
                found = settings.read(environment)
            except settings.SettingsError as error:
                logging.getLogger("guardian").critical("cannot start: %s", error)
                return 2
            return asyncio.run(until_told(controller.serve(found)))
        case ["engine-proxy"]:
            from guardian.engine_proxy import server
            from guardian.engine_proxy.rules import Ownership

            stack, owner = environment.get("STACK", ""), environment.get("OWNER", "")
            if not stack or not owner:
                logging.getLogger("engine-proxy").critical("cannot start: STACK and OWNER must be set")
                return 2
            socket = environment.get("ENGINE_SOCKET", "/var/run/docker.sock")
            return asyncio.run(until_told(server.serve(socket, Ownership(stack, owner))))
        case ["report", kind]:
            from guardian.ask import ask

            return ask("POST", f"/reports/{kind}", environment)
        case ["document"]:
            from guardian.ask import ask

            return ask("GET", "/document", environment)
    print("usage: python3 -m guardian {guard,engine-proxy,report KIND,document}", file=sys.stderr)
    return 2


async def until_told(serving: Coroutine[object, object, int]) -> int:
    """Run until it ends by itself, or SIGTERM or SIGINT comes."""
    task = asyncio.ensure_future(serving)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return 0
    except OSError as error:
        logging.getLogger("guardian").critical("cannot start: %s", error)
        return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], os.environ))
