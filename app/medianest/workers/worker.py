"""One worker process, as the pool sees it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from medianest.workers.channel import Channel, ChannelClosedError
from medianest.workers.errors import Ending
from medianest.workers.frames import JsonValue
from medianest.workers.output import Output

MEGABYTE = 1024 * 1024

BACKSTOP = 2
"""How many times the watched limit the kernel lets a worker take (RLIMIT_DATA)."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_GENTLE_SECONDS, _LEFT_OVER_SECONDS, _REAP_SECONDS = 1.0, 0.2, 5.0

ENVIRONMENT: Mapping[str, str] = {
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "1",
    # What a task took goes back to the system when it ends (mallopt(3)).
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
}
"""All that a worker gets: none of the server's variables, some of which may be secrets."""


class TaskRaisedError(Exception):
    """A task raised: the name and the message of what."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name = name
        self.message = message


class WorkerLostError(Exception):
    """The worker has ended, or is about to, without an answer. `Worker.reap` tells why."""


class WorkerStartError(Exception):
    """A worker did not come up. The message says why, with the last of what it printed."""


@dataclass(frozen=True)
class WorkerOptions:
    """What a worker runs, and what it may take: resident bytes, and seconds to come up."""

    modules: Sequence[str]
    memory_bytes: int
    start_seconds: float
    environment: Mapping[str, str]


class Worker:
    """A process that is up. The thread of the event loop that started it must outlive it."""

    def __init__(self, process: Process, channel: Channel, output: Output) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = process
        self._channel = channel
        self._output = output
        self._statm = _open(f"/proc/{process.pid}/statm")
        self._exit = asyncio.create_task(self._until_exit())
        self.pid = process.pid
        self.started = self._loop.time()
        self.tasks_done = 0
        self._ending: Ending | None = None

    @classmethod
    async def start(cls, options: WorkerOptions) -> Worker:
        """Raises WorkerStartError, and OSError when the system gives no process or descriptor."""
        spawning = asyncio.create_task(_spawn(options))
        try:
            worker = await asyncio.shield(spawning)
        except asyncio.CancelledError:
            # uvloop would not reap a process whose making is cancelled.
            await asyncio.wait({spawning})
            if spawning.exception() is None:
                await spawning.result().kill(Ending.STOPPED)
            raise
        try:
            problem = await worker._come_up(options)
            if problem is None:
                return worker
            await worker.kill(Ending.STOPPED)
        except BaseException:
            await worker.kill(Ending.STOPPED)
            raise
        raise WorkerStartError("; ".join([problem, *worker.output()[-5:]]))

    @property
    def lost(self) -> bool:
        """Whether it can take no more tasks. The system is asked too, since it knows of a death before
        the event loop does, and a task given to a dead worker would have lost a try."""
        return self._ending is not None or self._channel.closed.done() or not self.resident_bytes()

    def when_lost(self, callback: Callable[[], None]) -> None:
        """Called soon after it can take no more tasks."""
        self._channel.closed.add_done_callback(lambda _: callback())

    async def call(self, number: int, frame: bytes, deadline: float, overdue: Ending) -> JsonValue:
        """Have one task done in `deadline` seconds; later the worker is killed, and ends as `overdue`.

        Raises TaskRaisedError and WorkerLostError.
        """
        timer = self._loop.call_later(deadline, self.end, overdue)
        try:
            answer = await self._channel.request(number, frame)
        except ChannelClosedError:
            raise WorkerLostError from None
        finally:
            timer.cancel()
        if "error" in answer:
            error = cast("Mapping[str, str]", answer["error"])
            raise TaskRaisedError(error["name"], error["message"])
        return answer.get("result")

    def resident_bytes(self) -> int:
        """0 when it has ended. See proc_pid_statm(5)."""
        with contextlib.suppress(OSError):
            return int(os.pread(self._statm, 128, 0).split()[1]) * _PAGE
        return 0

    def death(self) -> str:
        """How it ended, in words."""
        if self._ending is Ending.PROTOCOL:
            violation = self._channel.violation
            return "closed its connection" if violation is None else f"sent {violation}"
        return describe_exit(self._process.returncode)

    def output(self) -> list[str]:
        """The last lines that it printed since this was asked."""
        return self._output.lines()

    def end(self, ending: Ending) -> None:
        """Kill it now. The first reason is the one that counts."""
        if self._ending is None and not self._exit.done():
            self._ending = ending
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._channel.close()

    async def kill(self, ending: Ending) -> Ending:
        """`end` it, and `reap` what is left."""
        self.end(ending)
        return await self.reap()

    async def dismiss(self, ending: Ending) -> Ending:
        """Let an idle worker end by itself, which it does at once; kill it when it does not."""
        if not self.lost:
            self._ending = ending
            self._channel.close()
            await asyncio.wait({self._exit}, timeout=_GENTLE_SECONDS)
        return await self.reap()

    async def reap(self) -> Ending:
        """Wait for the end of a worker that is lost, give its descriptors back, and tell why it ended."""
        if self._ending is None and self._channel.violation is not None:
            self._ending = Ending.PROTOCOL
        if self._ending is None:
            # Its socket is closed. An exit follows at once, or else it is the task that closed it.
            await asyncio.wait({self._exit}, timeout=_GENTLE_SECONDS)
            self._ending = Ending.CRASHED if self._exit.done() else Ending.PROTOCOL
        self.end(self._ending)
        # Longer only when the kernel cannot end it, as on a dead network disk.
        await asyncio.wait({self._exit}, timeout=_REAP_SECONDS)
        await asyncio.wait({self._channel.closed}, timeout=_REAP_SECONDS)
        self._output.close()
        if self._statm >= 0:
            os.close(self._statm)
            self._statm = -1
        return self._ending

    async def _come_up(self, options: WorkerOptions) -> str | None:
        """Why it does not, if so."""
        try:
            async with asyncio.timeout(options.start_seconds):
                answer = await self._channel.ready
        except TimeoutError:
            return f"it was not up within {options.start_seconds:g} s"
        except ChannelClosedError:
            await self.reap()
            return self.death()
        if "error" in answer:
            error = cast("Mapping[str, str]", answer["error"])
            return f"{error['name']}: {error['message']}"
        resident = self.resident_bytes()
        if resident > options.memory_bytes:
            return f"it takes {-(-resident // MEGABYTE)} MB before its first task, more than it may"
        return None

    async def _until_exit(self) -> None:
        await self._process.wait()
        # The end of the socket comes by itself, after an answer that may be in it, unless a process
        # that the task started holds it.
        self._loop.call_later(_LEFT_OVER_SECONDS, self._channel.close)


def describe_exit(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "still there after it was killed"
    if code >= 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    return f"killed by signal {-code}"


async def _spawn(options: WorkerOptions) -> Worker:
    ours, theirs = socket.socketpair()
    output = Output()
    with theirs:
        try:
            _, channel = await asyncio.get_running_loop().create_unix_connection(Channel, sock=ours)
        except BaseException:
            ours.close()
            output.close()
            raise
        arguments = [theirs.fileno(), os.getpid(), options.memory_bytes * BACKSTOP]
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-s", "-m", "medianest.workers.child"),
                *map(str, arguments),
                *options.modules,
                stdin=DEVNULL,
                stdout=output.writer,
                stderr=output.writer,
                pass_fds=(theirs.fileno(),),
                env=dict(options.environment),
            )
        except BaseException:
            channel.close()
            output.close()
            raise
    output.close_writer()
    return Worker(process, channel, output)


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:  # it has ended already
        return -1
