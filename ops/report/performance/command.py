"""The command `report performance`."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.errors import OperationError
from ops.options import JsonOption, StackArgument
from ops.output import Output

if TYPE_CHECKING:
    from ops.report.performance.model import Performance


class Format(StrEnum):
    """How the report is told."""

    MARKDOWN = "markdown"
    TEXT = "text"
    JSON = "json"


def performance(
    stack: StackArgument,
    since: Annotated[str, typer.Option(help="How far back, as 30m, 24h or 7d.")] = "24h",
    form: Annotated[Format, typer.Option("--format", help="How it is told on stdout.")] = Format.TEXT,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Write it there as well, with plots, into a directory of its own."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """The performance of a span of time: latency, errors, memory, cache, slow routes and statements, deploys.

    The figures are those that the stack's Prometheus keeps; deploys come from Pulumi's history. --json is
    --format json.

    Examples:

        ./medianest report performance staging

        ./medianest report performance staging --since 7d --format markdown

        ./medianest report performance staging --out reports
    """
    from ops.engine import connect
    from ops.env.duration import read_duration
    from ops.project import load_settings
    from ops.releases.deploys import read_deploys
    from ops.report.performance.gather import gather
    from ops.report.performance.markdown import as_markdown
    from ops.session import open_session

    form = Format.JSON if as_json else form
    output, session = Output(form is Format.JSON), open_session()
    span = read_duration(since).total_seconds()
    outputs = session.deployed(stack).outputs
    settings = load_settings(session.project, stack)
    end = time.time()
    api = connect(session.environment)
    with output.working(f"Asking Prometheus of stack {stack}"):
        found = gather(api, stack, outputs, settings, read_deploys(session, stack), end - span, end)
    api.close()
    written = save(found, out) if out else None
    output.document(as_document(found) | ({"written": str(written)} if written else {}))
    if form is Format.MARKDOWN:
        print(as_markdown(found), end="")
    elif form is Format.TEXT:
        from rich.markdown import Markdown

        output.show(Markdown(as_markdown(found)))
    if written:
        output.progress(f"Written: {written}")


def save(report: Performance, directory: Path) -> Path:
    """Write the report, its figures and its plots into a directory of its own, so that a former one stays.

    Returns the report's file. Raises OperationError.
    """
    import json

    from ops.report.performance.markdown import as_markdown
    from ops.report.performance.plots import write_plots

    stamp = datetime.fromtimestamp(report.end, UTC).strftime("%Y%m%dT%H%M%SZ")
    own = directory / f"{report.stack}-{stamp}"
    try:
        own.mkdir(parents=True, exist_ok=True)
        (own / "report.json").write_text(json.dumps(as_document(report), indent=1) + "\n")
        file = own / "report.md"
        file.write_text(as_markdown(report, write_plots(report, own)))
    except OSError as error:
        raise OperationError(
            f"the report cannot be written to {own}: {error.strerror}", "Choose another directory: --out DIR"
        ) from error
    return file


def as_document(report: Performance) -> dict[str, Any]:
    """The report for machines: times in seconds since 1970."""
    return asdict(report)
