"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from ops import completion

DEFAULT_STACK = "staging"

StackArgument = Annotated[
    str,
    typer.Argument(metavar="STACK", help="The stack.", show_default=False, autocompletion=completion.stacks),
]
OptionalStackArgument = Annotated[
    str, typer.Argument(metavar="[STACK]", help="The stack.", autocompletion=completion.stacks)
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress: the result, or the error.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also what did not change, and what checks print.")
]
# They may stand anywhere in a command line.
GLOBAL_OPTIONS = frozenset({"--debug", "--quiet", "-q", "--verbose", "-v"})
