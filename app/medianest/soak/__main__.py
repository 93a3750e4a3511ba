"""`python -m medianest.soak NAME`: exits with 0 when the check has passed, with 1 when it has failed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from medianest.soak import protocol
from medianest.soak.auth_cache import AuthCache
from medianest.soak.memory import Memory
from medianest.soak.protocol import CannotRunError
from medianest.soak.runner import Check, run
from medianest.soak.target import Target
from medianest.soak.workers import Workers


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the named check until its time is over, or until SIGTERM. Returns the exit code."""
    checks: dict[str, Callable[[Target], Check]] = {
        "auth-cache": AuthCache,
        "memory": Memory,
        "workers": Workers,
    }
    try:
        if len(arguments) != 1 or arguments[0] not in checks:
            raise CannotRunError(f"name one check of {', '.join(checks)}")
        target = Target.from_environment(environment)
    except CannotRunError as error:
        _tell(protocol.verdict_line(0, [], [str(error)]))
        return 1
    passed = asyncio.run(_run(checks[arguments[0]](target), target.seconds))
    return 0 if passed else 1


async def _run(check: Check, seconds: float) -> bool:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return await run(check, seconds, _tell, stop)


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
