"""Commands that are logged, shown and stopped together."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from ops.setup.display import Display

TAIL_LINES = 40


class CommandFailedError(Exception):
    """A command ended with an exit code other than 0. `tail` holds the end of what it said."""

    def __init__(self, command: str, code: int, tail: str) -> None:
        super().__init__(f"{command} failed with exit code {code}")
        self.command = command
        self.code = code
        self.tail = tail


class CancelledWorkError(Exception):
    """The work was stopped from outside; whoever stopped it has the reason."""


class Work:
    """What a step works with. Its methods may be called from several threads."""

    def __init__(self, log: TextIO, display: Display, stop_seconds: float = 3.0) -> None:
        self._log = log
        self._display = display
        self._stop_seconds = stop_seconds
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[str]] = set()
        self._cancelled = False

    @contextmanager
    def activity(self, title: str, usual_seconds: float) -> Iterator[None]:
        """Show what is going on and how long it usually takes."""
        self.note(title)
        with self._display.activity(title, usual_seconds):
            yield

    def note(self, text: str) -> None:
        """Write a line into the log."""
        with self._lock:
            self._log.write(text.rstrip("\n") + "\n")
            self._log.flush()

    def run(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        timeout: float | None = None,
    ) -> None:
        """Run a command with its output in the log.

        `environment` is laid over this process's; `timeout` is in seconds.
        Raises CommandFailedError, also when the program is not there or the time is up.
        """
        self._run(command, environment, directory, timeout, stderr_apart=False)

    def output(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        timeout: float | None = None,
    ) -> str:
        """Run a command and return what it prints on stdout. Otherwise as `run`."""
        return self._run(command, environment, directory, timeout, stderr_apart=True)

    def cancel(self) -> None:
        """Stop every command with all its children, and let no other begin."""
        with self._lock:
            self._cancelled = True
            running = list(self._processes)
        for process in running:
            _signal_group(process, signal.SIGTERM)
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(self._stop_seconds)
            # Also after a clean end: its children may have outlived it.
            _signal_group(process, signal.SIGKILL)

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def _run(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None,
        directory: Path | None,
        timeout: float | None,
        *,
        stderr_apart: bool,
    ) -> str:
        arguments = [str(part) for part in command]
        self.note("$ " + " ".join(arguments))
        process = self._start(arguments, environment, directory, stderr_apart)
        timer = threading.Timer(timeout, _signal_group, (process, signal.SIGKILL)) if timeout else None
        if timer:
            timer.start()
        tail: deque[str] = deque(maxlen=TAIL_LINES)
        printed = ""
        try:
            if stderr_apart:
                printed, errors = process.communicate()
                for line in errors.splitlines():
                    self._took(line, tail)
            else:
                for line in process.stdout or ():
                    self._took(line, tail)
                process.wait()
        finally:
            if timer:
                timer.cancel()
            if process.stdout:
                process.stdout.close()
            with self._lock:
                self._processes.discard(process)
        if self._cancelled:
            raise CancelledWorkError
        if process.returncode != 0:
            raise CommandFailedError(arguments[0], process.returncode, "\n".join(tail))
        return printed

    def _start(
        self,
        arguments: list[str],
        environment: Mapping[str, str] | None,
        directory: Path | None,
        stderr_apart: bool,
    ) -> subprocess.Popen[str]:
        with self._lock:
            if self._cancelled:
                raise CancelledWorkError
            try:
                # A session of its own: Ctrl-C must reach us alone, so that we stop the whole group.
                process = subprocess.Popen(
                    arguments,
                    env={**os.environ, **(environment or {})},
                    cwd=directory,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE if stderr_apart else subprocess.STDOUT,
                    start_new_session=True,
                    text=True,
                    errors="replace",
                )
            except OSError as error:
                raise CommandFailedError(arguments[0], 127, str(error)) from error
            self._processes.add(process)
            return process

    def _took(self, line: str, tail: deque[str]) -> None:
        line = line.rstrip()
        if not line:
            return
        tail.append(line)
        self.note(line)
        self._display.detail(line)


def _signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
