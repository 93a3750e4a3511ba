"""Starts the command line: `python -m ops`, which is what `./medianest` does."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextvars import copy_context

from ops.cli import app
from ops.completion import answer_shells
from ops.errors import ExitCode, OperationError
from ops.options import GLOBAL_OPTIONS
from ops.output import report_error


def main(arguments: list[str]) -> int:
    """Run one command. Returns its exit code; every failure ends in one message, without a traceback."""
    debug, as_json = "--debug" in arguments, "--json" in arguments
    answer_shells()
    try:
        # In a context of its own: what its options say of its words ends with it.
        copy_context().run(app, global_options_first(arguments), prog_name="medianest")
    except OperationError as error:
        if debug:
            raise
        report_error(error, as_json)
        return int(error.code)
    except Exception as error:
        if debug:
            raise
        unexpected = OperationError(
            f"unexpected {type(error).__name__}: {error}",
            "Run it again with --debug to see where it happens.",
        )
        report_error(unexpected, as_json)
        return int(ExitCode.FAILED)
    return 0


def global_options_first(arguments: Sequence[str]) -> list[str]:
    """The options of every command before its name, where Typer takes them. What follows `--` stays."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    own, rest = arguments[:end], arguments[end:]
    return [
        *(argument for argument in own if argument in GLOBAL_OPTIONS),
        *(argument for argument in own if argument not in GLOBAL_OPTIONS),
        *rest,
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
