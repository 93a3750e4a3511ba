"""The command `soak`: runs a stability check of the backend's own against a deployed stack."""

from __future__ import annotations

import queue
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from components.hardening.kinds import SOAK
from ops.errors import ExitCode, OperationError
from ops.options import JsonOption, StackArgument
from ops.output import Output, Verbosity, seconds, verbosity
from ops.soak_report import FAILED, PASSED, Patience, SoakRun

if TYPE_CHECKING:
    from docker import APIClient
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live

    from ops.one_shot import OneShot, Running
    from ops.state import StackState

# The names and ports of the contract, as seen on the stack's public network.
TARGET_URL = "http://gateway:8080"
BACKEND_HOST = "backend"
# What a check may take beside its minutes: it may wait until the stack has given everything back.
OVERTIME_SECONDS = 900.0
LOOK_SECONDS = 0.2
TELL_SECONDS = 10.0


def soak(
    check: Annotated[str, typer.Argument(metavar="CHECK", help="auth-cache, memory, workers, or your own.")],
    stack: StackArgument,
    minutes: Annotated[float, typer.Option(min=0.1, max=2880, help="How long the load lasts.")] = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Load a deployed stack for minutes, watch it, and say whether it is stable.

    The checks are commands of the backend's image, named in the settings (verification.soak). They
    run in a container beside the stack and load nothing else. Ctrl-C ends one early: it says what it
    has seen.

    Examples:

        ./medianest soak auth-cache staging

        ./medianest soak memory staging --minutes 60 --json
    """
    from ops.engine import connect
    from ops.one_shot import running
    from ops.project import load_settings
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    session.require_stack(stack)
    command = command_of(load_settings(session.project, stack).verification.soak, check)
    state = session.deployed(stack, ExitCode.REFUSED)
    api = connect(session.environment)
    one_shot = declare(api, stack, state, command, minutes)
    run, view = SoakRun(), View(f"Soak {check} of stack {stack}, {minutes:g} min")
    began = time.monotonic()
    patience = Patience(60 * minutes + OVERTIME_SECONDS)
    with (
        interrupts() as received,
        running(api, session.project.name, stack, one_shot) as container,
        view.of(run),
    ):
        ended_for = watch(container, view, received, patience)
        exit_code = container.exit_code()
    api.close()
    reasons = run.reasons(exit_code, ended_for)
    report = {
        "stack": stack,
        "check": check,
        "minutes": minutes,
        "seconds": round(time.monotonic() - began, 1),
        "verdict": FAILED if reasons else PASSED,
        "reasons": reasons,
        "interrupted": bool(received),
        "figures": run.as_json(),
    }
    conclude(output, run, report)


def command_of(checks: Mapping[str, Sequence[str]], check: str) -> Sequence[str]:
    """The command of a check. Raises OperationError for one that the settings do not name."""
    from ops.project import near_names

    if check in checks:
        return checks[check]
    known = f"Checks of this stack: {', '.join(sorted(checks))}." if checks else "This stack has no checks."
    raise OperationError(
        f"check {check!r} is not known",
        f"{near_names(check, checks.keys())}{known} They are named in its settings, verification.soak.",
        ExitCode.USAGE,
    )


def declare(api: APIClient, stack: str, state: StackState, command: Sequence[str], minutes: float) -> OneShot:
    """The container that runs a check. Raises OperationError when the stack does not run."""
    from ops.one_shot import beside

    names = state.outputs["containers"]
    backends = [found for name in names["backend"] if (found := inspect_running(api, name))]
    if not backends or not all(inspect_running(api, name) for name in names["gateway"]):
        raise OperationError(
            f"stack {stack} does not run: there is nothing to load",
            f"Look at: ./medianest status {stack}; run: ./medianest up {stack}",
            ExitCode.REFUSED,
        )
    one_shot = beside(backends[0], SOAK, command, state.outputs["networks"]["public"])
    own = {
        "SOAK_MINUTES": f"{minutes:g}",
        "TARGET_URL": TARGET_URL,
        "BACKEND_HOST": BACKEND_HOST,
        "BACKEND_PORT": one_shot.environment["PORT"],
    }
    return replace(one_shot, environment={**one_shot.environment, **own})


def inspect_running(api: APIClient, container: str) -> dict[str, Any] | None:
    """The engine's document of a container that runs."""
    from docker.errors import NotFound

    try:
        found = api.inspect_container(container)
    except NotFound:
        return None
    return found if found["State"]["Running"] else None


@contextmanager
def interrupts() -> Iterator[list[int]]:
    """Collect Ctrl-C, SIGTERM and SIGHUP rather than be ended by them, so that nothing is left behind."""
    from ops.child import INTERRUPTS

    received: list[int] = []
    before = [signal.signal(number, lambda caught, _: received.append(caught)) for number in INTERRUPTS]
    try:
        yield received
    finally:
        for number, handler in zip(INTERRUPTS, before, strict=True):
            signal.signal(number, handler)


def watch(container: Running, view: View, received: list[int], patience: Patience) -> str:
    """Follow a check to its end. Asks it to stop at the first interrupt, kills it at the second, or when
    it is late. Returns why it was killed, or nothing."""
    began = heard = time.monotonic()
    asked: float | None = None
    ended_for = ""
    while True:
        try:
            told = container.lines.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            pass
        else:
            if told is None:
                return ended_for
            heard = time.monotonic()
            view.take(*told)
        if received and asked is None:
            asked = time.monotonic()
            view.say("Stopping: the check says what it has seen. Ctrl-C again kills it.")
            container.signal("SIGTERM")
        killed = "it was killed before its verdict" if len(received) > 1 else ""
        late = killed or patience.ended_for(time.monotonic(), began, heard, asked)
        if late and not ended_for:
            ended_for = late
            container.signal("SIGKILL")


class View:
    """Shows a run on stderr: a live table on a terminal, otherwise a line every 10 s."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._verbosity = verbosity.get()
        self._run = SoakRun()
        self._live: Live | None = None
        self._told = time.monotonic()

    @contextmanager
    def of(self, run: SoakRun) -> Iterator[None]:
        """Show this run until the block ends."""
        self._run = run
        if not sys.stderr.isatty() or self._verbosity is Verbosity.QUIET:
            self.say(self._title)
            yield
            return
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True, highlight=False)
        with Live(self, console=console, refresh_per_second=1, transient=True) as self._live:
            yield
        self._live = None

    def take(self, source: str, line: str) -> None:
        """Take in one line of the check's."""
        if source == "stdout" and self._run.take(line):
            if not self._live and time.monotonic() - self._told >= TELL_SECONDS:
                self._told = time.monotonic()
                self.say(self._run.line())
            return
        if source != "stdout":
            self._run.note(line)
        if self._verbosity is Verbosity.VERBOSE:
            self.say(line)

    def say(self, text: str) -> None:
        """Put a line above the table."""
        if self._live:
            self._live.console.print(text, markup=False)
        elif self._verbosity is not Verbosity.QUIET:
            print(text, file=sys.stderr, flush=True)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.markup import escape

        yield f"{escape(self._title)} [dim]{seconds(self._run.elapsed)}[/]"
        yield self._run.table()


def conclude(output: Output, run: SoakRun, report: Mapping[str, Any]) -> None:
    """Say how it went. Raises OperationError unless it has passed."""
    if run.figures:
        output.show(run.table())
    what = f"soak {report['check']} of stack {report['stack']}"
    reasons = "".join(f"\n  - {reason}" for reason in report["reasons"])
    log = "".join(f"\n    {line}" for line in run.log) if reasons else ""
    if log:
        log = f"\nthe end of its log:{log}"
    if report["interrupted"]:
        verdict = f"it has {report['verdict']} by what it has seen"
        raise OperationError(
            f"{what} was interrupted; {verdict}{reasons}{log}", "", ExitCode.INTERRUPTED, report
        )
    if reasons:
        hint = f"Look at: ./medianest status {report['stack']}, ./medianest logs {report['stack']}"
        raise OperationError(f"{what} failed:{reasons}{log}", hint, ExitCode.FAILED, report)
    output.document(report)
    output.show(f"[bold green]{what.capitalize()} passed.[/] ({seconds(report['seconds'])})")
