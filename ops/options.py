"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

DEFAULT_STACK = "staging"

StackArgument = Annotated[str, typer.Argument(metavar="STACK", help="The stack.", show_default=False)]
OptionalStackArgument = Annotated[str, typer.Argument(metavar="[STACK]", help="The stack.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AllowInterruptionOption = Annotated[
    bool,
    typer.Option(
        "--allow-interruption",
        help="Do not ask before an update that interrupts or deletes data. --yes alone does not.",
    ),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", is_eager=True)]
