"""The command `activate`: what plain `pulumi` needs, for the shell."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer

from ops.options import YesOption
from ops.output import Output


class Shell(StrEnum):
    """Shells whose syntax is known."""

    POSIX = "sh"
    FISH = "fish"


def export_lines(variables: Mapping[str, str], shell: Shell) -> str:
    """Commands that set the variables, safe to `eval` whatever the values hold."""
    if shell is Shell.POSIX:
        return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    return "\n".join(f"set -gx {name} {_fish_value(name, value)}" for name, value in variables.items())


def _fish_value(name: str, value: str) -> str:
    parts = value.split(os.pathsep) if name == "PATH" else [value]
    escaped = [part.replace("\\", "\\\\").replace("'", "\\'") for part in parts]
    return " ".join(f"'{part}'" for part in escaped)


def activate(
    shell: Annotated[
        Shell, typer.Option(help="Whose syntax to print; sh is for bash and zsh too.")
    ] = Shell.POSIX,
    yes: YesOption = False,
) -> None:
    """Print what plain pulumi needs in this shell: tools on PATH, state, passphrase file.

    Examples:

        eval "$(./medianest activate)"

        ./medianest activate --shell fish | source
    """
    from ops.environment import pulumi_variables
    from ops.setup.run import ensure

    ensure(Output().console(), assume_yes=yes)
    print(export_lines(pulumi_variables(), shell))
