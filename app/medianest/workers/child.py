"""A worker process: `python -m medianest.workers.child SOCKET PARENT BYTES [MODULE…]`.

Answers one request after the other on the inherited socket until that is closed. Each MODULE has a
mapping `TASKS` from names to functions, which take and return what JSON can express. A task returns
what it expects to go wrong and raises what it does not, starts no processes of its own, and may be
run a second time after its worker died.

Imports as little as it can: every worker pays for it.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import cast

from medianest.workers.frames import PING, READY, Decoder, JsonValue, encode

Tasks = Mapping[str, Callable[..., JsonValue]]

_PR_SET_PDEATHSIG = 1
_LONGEST_MESSAGE = 1000


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 when the socket was closed, 1 when a module cannot be used."""
    channel, parent, data_bytes = (int(argument) for argument in arguments[:3])
    os.set_inheritable(channel, False)
    _die_with(parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The pool ends its workers; a signal to the whole group must not take tasks from it.
        signal.signal(number, signal.SIG_IGN)
    _be_first_out_of_memory()
    faulthandler.enable()
    try:
        tasks = load(arguments[3:])
    except Exception as error:
        _send(channel, failure(READY, error))
        return 1
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A backstop for a task that takes memory faster than it is watched.
    resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, data_bytes))
    _send(channel, encode({"id": READY, "result": sorted(tasks)}))
    serve(channel, tasks)
    return 0


def load(modules: Iterable[str]) -> Tasks:
    """The tasks of all modules. Raises what importing one raises."""
    tasks: dict[str, Callable[..., JsonValue]] = {PING: lambda: None}
    for module in modules:
        tasks.update(import_module(module).TASKS)
    return tasks


def serve(channel: int, tasks: Tasks) -> None:
    """Answer until the other side is gone."""
    decoder = Decoder()
    while data := os.read(channel, 65536):
        for request in decoder.feed(data):
            _send(channel, answer(request, tasks))


def answer(request: Mapping[str, JsonValue], tasks: Tasks) -> bytes:
    """Do what was asked for; what the task raises is the answer too, with its trace on stderr."""
    number = cast("int", request["id"])
    try:
        task = tasks[cast("str", request["task"])]
        return encode({"id": number, "result": task(**cast("dict[str, JsonValue]", request["arguments"]))})
    except MemoryError as error:
        return failure(number, error)
    except Exception as error:
        import traceback  # when it is needed, since it is large

        traceback.print_exception(error)
        return failure(number, error)


def failure(number: int, error: BaseException) -> bytes:
    """An exception as an answer."""
    message = str(error).encode(errors="replace").decode()[:_LONGEST_MESSAGE]
    return encode({"id": number, "error": {"name": type(error).__name__, "message": message}})


def _send(channel: int, frame: bytes) -> None:
    while frame:
        frame = frame[os.write(channel, frame) :]


def _die_with(parent: int) -> None:
    """Be killed when the thread that started this process ends (prctl(2), PR_SET_PDEATHSIG): the end
    of the socket alone would not interrupt a task."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def _be_first_out_of_memory() -> None:
    """Let the kernel take a worker and not the server when memory runs out (proc_pid_oom_score_adj(5))."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError as error:
        print(f"oom_score_adj cannot be set: {error.strerror}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
