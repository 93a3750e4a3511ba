"""The command `preview`: what an update would do, why, and what that means for those who use the stack."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.errors import ExitCode, OperationError
from ops.options import JsonOption
from ops.output import FILE_WIDTH, Output
from ops.review.choices import Host, OnDanger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.plan.model import StackPlan
    from ops.session import Session


class Format(Enum):
    """The forms that plans come in."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


class PreviewCommand(typer.core.TyperCommand):
    """Wrong usage ends with 1: 2 means that there are changes."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().make_context(*arguments, **options)
        except Exception as error:
            if getattr(error, "exit_code", None) == ExitCode.USAGE:
                error.exit_code = ExitCode.FAILED  # type: ignore[attr-defined]
            raise


def preview(
    stacks: Annotated[
        list[str] | None, typer.Argument(metavar="[STACK]...", help="Default: every stack with settings.")
    ] = None,
    base: Annotated[
        str, typer.Option(metavar="REF", help="Name changed files against this commit. Default: what runs.")
    ] = "",
    form: Annotated[Format, typer.Option("--format", help="How it is shown.")] = Format.TEXT,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Write it there, not to stdout.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="Keep the plan, for `up --plan FILE`."),
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh/--no-refresh", help="Look for drift that only the engine knows.")
    ] = True,
    fast: Annotated[
        bool, typer.Option("--fast/--no-fast", help="Do not ask Pulumi where nothing can have changed.")
    ] = True,
    post: Annotated[
        Host | None, typer.Option(help="Also post it into the pull request: docs/pull-requests.md")
    ] = None,
    pull_request: Annotated[
        int | None,
        typer.Option("--pr", metavar="N", min=1, help="The pull request. Default: that of the CI run."),
    ] = None,
    on_danger: Annotated[
        OnDanger, typer.Option(help="With --post: what the check says of a dangerous change.")
    ] = OnDanger.FAILURE,
    as_json: JsonOption = False,
) -> None:
    """Show what an update would do: each change, why it comes, and who notices.

    Takes no lock and changes nothing. Exit codes: 0 no change, 2 changes, 3 changes that interrupt
    or delete data, 1 a stack could not be previewed, 5 all were previewed and could not be posted.

    Examples:

        ./medianest preview

        ./medianest preview staging --base origin/main

        ./medianest preview staging --format markdown --out preview.md

        ./medianest preview staging --save staging.plan

        ./medianest preview --post github --pr 7
    """
    from ops.plan.document import FAILED, exit_code
    from ops.review.posting import Posting
    from ops.session import open_session

    output = Output(as_json)
    posting = Posting(post, pull_request, on_danger, os.environ, output) if post else None
    if posting:
        posting.check()
    form = Format.JSON if as_json else form
    try:
        session = open_session()
        names = chosen(session, stacks or ())
        if save and len(names) != 1:
            raise OperationError("--save keeps the plan of one stack", "Name it: ./medianest preview STACK")
        plans = []
        for stack in names:
            with output.working(f"Previewing stack {stack}"):
                plans.append(planned(session, stack, base, refresh, fast, save, output))
        deliver(plans, form, out, output)
    except OperationError as error:
        # Of this command 2 and 3 mean something else.
        raise OperationError(error.message, error.hint, details=error.details) from error
    code = exit_code(plans)
    if code == FAILED and form is not Format.TEXT:
        for plan in plans:
            if plan.problem:
                output.progress(f"error: {plan.stack}: {plan.problem}")
    not_posted = posting.send(plans) if posting else 0
    if not_posted and code != FAILED:
        code = not_posted
    if code:
        raise typer.Exit(code)


def planned(
    session: Session, stack: str, base: str, refresh: bool, fast: bool, save: Path | None, output: Output
) -> StackPlan:
    """The plan of one stack, kept where that is wanted. Raises OperationError where it cannot be kept."""
    if save is None:
        from ops.plan.make import make_plan

        return make_plan(session, stack, base, refresh=refresh, fast=fast)
    from ops.plan.saved import save_plan

    plan, saved = save_plan(session, stack, save, base, refresh=refresh)
    if saved:
        saved.write()
        output.progress(f"The plan is kept: carry it out with ./medianest up {stack} --plan {save}")
    elif not plan.problem:
        raise OperationError(
            f"stack {stack} is new: a plan to make everything cannot be kept",
            f"Deploy it first: ./medianest up {stack}",
        )
    return plan


def chosen(session: Session, stacks: Sequence[str]) -> list[str]:
    """The stacks to preview: those that are named, each once, or all with settings."""
    found = list(dict.fromkeys(stacks)) or session.project.stacks()
    if not found:
        raise OperationError("there are no stacks yet", "A new one begins with its settings file.")
    return found


def deliver(plans: Sequence[StackPlan], form: Format, out: Path | None, output: Output) -> None:
    """Show the plans, or write them. Raises OperationError where the file cannot be written."""
    text = rendered(plans, form, FILE_WIDTH if out else None)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OperationError(f"{out} cannot be written: {error.strerror}") from error
    output.progress(f"Written to {out}")


def rendered(plans: Sequence[StackPlan], form: Format, width: int | None) -> str:
    """The plans in one form, as text."""
    if form is Format.JSON:
        import json

        from ops.plan.document import document

        return json.dumps(document(plans), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if form is Format.MARKDOWN:
        from ops.plan.markdown import render

        return "\n".join(render(plan) for plan in plans)
    return as_text(plans, width)


def as_text(plans: Sequence[StackPlan], width: int | None) -> str:
    """For people; in colours where a terminal shows it."""
    import sys

    from rich.console import Console

    from ops.plan.text import renderables

    on_terminal = width is None and sys.stdout.isatty()
    console = Console(highlight=False, width=None if on_terminal else FILE_WIDTH, force_terminal=on_terminal)
    with console.capture() as captured:
        for plan in plans:
            for renderable in renderables(plan):
                console.print(renderable)
    return captured.get()
