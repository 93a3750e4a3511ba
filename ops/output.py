"""What a command says: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ops.errors import OperationError
FILE_WIDTH = 200


class Verbosity(IntEnum):
    """How much a command says beside its result."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


# Of the command that runs in this context, as its options say.
verbosity: ContextVar[Verbosity] = ContextVar("verbosity", default=Verbosity.NORMAL)


def is_coloured(stream: TextIO) -> bool:
    """Whether colours belong there: on a terminal that knows them, unless NO_COLOR says no.

    Source: https://no-color.org
    """
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Output:
    """Where a command's words go. With `as_json` stdout gets one JSON document and nothing else."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        # Kept, since progress is also told by threads, which have a context of their own.
        self.verbosity = verbosity.get()

    def console(self) -> Console:
        """The terminal for progress: stderr."""
        from rich.console import Console

        return Console(stderr=True, highlight=False, quiet=self.verbosity is Verbosity.QUIET)

    def progress(self, text: str) -> None:
        """One line of progress."""
        if self.verbosity is not Verbosity.QUIET:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Say what is under way until the block ends: with a spinner where somebody looks on."""
        if not sys.stderr.isatty():
            self.progress(text)
            yield
            return
        with self.console().status(text):
            yield

    def document(self, document: Mapping[str, Any]) -> None:
        """The result for machines. Says nothing unless JSON was asked for."""
        if self.as_json:
            print(json.dumps(document, indent=2, sort_keys=True, default=str), flush=True)

    def show(self, *renderables: RenderableType) -> None:
        """The result for people. Says nothing when JSON was asked for."""
        if self.as_json:
            return
        from rich.console import Console

        # Into a file or a pipe nothing is cut off.
        console = Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
        for renderable in renderables:
            console.print(renderable)


def confirm(about: str, question: str, *, unanswered: OperationError, declined: str) -> None:
    """Ask a person who has been told what for, whatever the verbosity.

    Raises `unanswered` where nobody is at a terminal, and OperationError with `declined` where the answer
    is no.
    """
    import typer

    from ops.errors import ExitCode, OperationError

    if not sys.stdin.isatty():
        raise unanswered
    typer.echo(about, err=True)
    if not typer.confirm(question, err=True):
        raise OperationError(declined, code=ExitCode.REFUSED)


def report_error(error: OperationError, as_json: bool) -> None:
    """The one message that a failed command ends with."""
    print(f"error: {error.message}", file=sys.stderr)
    if error.hint:
        print(error.hint, file=sys.stderr)
    if as_json:
        problem = {"message": error.message, "hint": error.hint, "code": int(error.code)}
        Output(as_json=True).document({**error.details, "error": problem})


def seconds(duration: float) -> str:
    """A duration for people: 0.4 s, 12.3 s, 2 min 5 s."""
    if duration < 60:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def megabytes(size: float) -> str:
    """Bytes in MB (10^6), as `docker image ls` counts."""
    return f"{size / 1e6:.0f} MB"
