"""Starts the command line: `python -m ops`, which is what `./medianest` does."""

from __future__ import annotations

import sys

from ops.cli import app
from ops.errors import ExitCode, OperationError
from ops.output import report_error

DEBUG = "--debug"


def main(arguments: list[str]) -> int:
    """Run one command. Returns its exit code; every failure ends in one message, without a traceback."""
    debug, as_json = DEBUG in arguments, "--json" in arguments
    try:
        # Commands that have more to say with --debug find it as the object of their context.
        app([argument for argument in arguments if argument != DEBUG], prog_name="medianest", obj=debug)
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
