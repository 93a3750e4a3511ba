"""Looks again and again, and shows what there is, until Ctrl-C."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from ops.errors import ExitCode, OperationError
from ops.options import JsonOption, StackArgument
from ops.output import Output

# While a deploy goes on nothing is wrong.
GOOD = frozenset({"well", "deploying"})
Look = Callable[[], Mapping[str, Any]]


def watch(
    stack: StackArgument,
    interval: Annotated[
        float, typer.Option("--interval", metavar="SECONDS", help="Between two looks.", min=0.5, max=3600)
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="One look. Exits with 1 when it is not well.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a stack as its dashboard does, in the terminal, until Ctrl-C. With --json a document a line.

    Examples:

        ./medianest watch staging

        ./medianest watch staging --interval 10

        ./medianest watch staging --once --json
    """
    from ops.engine import connect
    from ops.session import open_session
    from ops.watch.look import look

    output, session = Output(as_json), open_session()
    session.deployed(stack)
    api = connect(session.environment)
    try:
        if once:
            show_once(output, lambda: look(api, session.project.name, stack))
        else:
            go_on(output, lambda: look(api, session.project.name, stack), interval)
    except KeyboardInterrupt:
        # How one ends it.
        return
    finally:
        api.close()


def show_once(output: Output, look: Look) -> None:
    """One look. Raises typer.Exit where it is not well."""
    from ops.watch.screen import screen

    document = _looked(look)
    output.document(document)
    output.show(screen(document))
    if document["verdict"]["word"] not in GOOD:
        raise typer.Exit(ExitCode.FAILED)


def go_on(output: Output, look: Look, interval: float) -> None:
    """Until interrupted. A look that fails is told of beside what was seen last; the first one must not."""
    document, lost = _looked(look), ""
    with _shown(output) as show:
        while True:
            show(document, lost)
            time.sleep(interval)
            try:
                document, lost = _looked(look), ""
            except OperationError as error:
                lost = error.message


def _looked(look: Look) -> Mapping[str, Any]:
    """Raises OperationError where the engine does not answer."""
    from docker.errors import DockerException
    from requests import RequestException

    try:
        return look()
    except (DockerException, RequestException, OSError) as error:
        raise OperationError(
            f"the engine does not answer: {type(error).__name__}", "Run it again when it does."
        ) from error


@contextmanager
def _shown(output: Output) -> Iterator[Callable[[Mapping[str, Any], str], None]]:
    """Where the documents go: lines of JSON, a terminal that is written anew, or one below the other."""
    from ops.watch.screen import screen

    if output.as_json:
        yield lambda document, lost: print(json.dumps({**document, "lost": lost}, sort_keys=True), flush=True)
    elif not sys.stdout.isatty():
        yield lambda document, lost: output.show(screen(document, lost), "")
    else:
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(highlight=False), screen=True, auto_refresh=False) as live:
            yield lambda document, lost: live.update(screen(document, lost), refresh=True)
