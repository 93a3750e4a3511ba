"""The command `releases`: which releases a stack has had, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.options import JsonOption, StackArgument
from ops.output import Output

if TYPE_CHECKING:
    from ops.releases.entries import Release

SHOWN = 20


def releases(
    stack: StackArgument,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Show so many.")] = SHOWN,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Remove images that deploy.keep_releases does not keep, first."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the releases of a stack, the newest first: when, by whom, from what, and how they went.

    The list comes from Pulumi's history, the stack's tags and the images on the engine. Every `up` prunes
    the images of old releases; --prune does it now.

    Examples:

        ./medianest releases staging

        ./medianest releases staging --json

        ./medianest releases staging --prune
    """
    from ops.engine import connect
    from ops.preflight.check import judge_locks, refuse
    from ops.project import load_settings
    from ops.releases.known import read_releases
    from ops.releases.prune import prune as remove_superfluous
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    session.deployed(stack)
    settings = load_settings(session.project, stack) if stack in session.project.stacks() else None
    pin = settings.pin if settings else None
    api = connect(session.environment)
    found = read_releases(session, stack, api, pin.release if pin else "")
    document: dict[str, Any] = {"stack": stack}
    if prune and settings:
        # An image that another run has just built is in no history yet.
        refuse(judge_locks(session, stack)[1], f"images of stack {stack} cannot be removed now")
        keep = settings.deploy.keep_releases
        pruned = remove_superfluous(session, stack, found, keep, pin.image.id if pin else "", api)
        document["pruned"] = pruned.as_json()
        output.progress(f"Removed {pruned}" if pruned.images else "There is no image to remove.")
        found = read_releases(session, stack, api, pin.release if pin else "")
    api.close()
    output.document({**document, "releases": [as_document(release) for release in found[:limit]]})
    if as_json:
        return
    output.show(table(found[:limit], datetime.now(UTC)))
    if pin:
        from ops.pin import describe

        output.show(describe(stack, pin))


def as_document(release: Release) -> dict[str, Any]:
    """A release for machines: times in ISO 8601."""
    return {
        "release": release.id,
        "deployed": release.deployed.isoformat(),
        "first_deployed": release.first_deployed.isoformat(),
        "by": release.by or None,
        "commit": release.commit or None,
        "dirty": release.dirty,
        "image": {
            "name": release.facts.image_name or None,
            "id": release.facts.image_id or None,
            "present": release.image_present,
            "schema": release.schema,
            "serves": release.serves,
        },
        "changes": {
            "image": release.changes.image,
            "settings": list(release.changes.settings),
            "secrets": list(release.changes.secrets),
        }
        if release.changes
        else None,
        "verdict": release.verdict,
        "reason": release.reason,
        "current": release.current,
        "pinned": release.pinned,
        "rolled_back": release.rolled_back,
    }


def table(found: Sequence[Release], now: datetime) -> Any:
    """The releases for people."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    titles = ("release", "when (UTC)", "by", "commit", "image", "changed", "verdict")
    shown = Table(*titles, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in shown.columns:
        column.overflow = "fold"
    for release in found:
        shown.add_row(
            release.id,
            f"{release.deployed:%Y-%m-%d %H:%M}, {ago((now - release.deployed).total_seconds())}",
            release.by,
            f"{release.commit[:9]}{' + changes' if release.dirty else ''}",
            release.facts.content or release.facts.image_id[7:19]
            if release.image_present
            else "[red]gone[/]",
            escape(str(release.changes)) if release.changes else "",
            colour(release, escape(verdict(release))),
        )
    return shown


def verdict(release: Release) -> str:
    """The verdict in words: "current, pinned, verified", "failed: …"."""
    states = {"current": release.current, "pinned": release.pinned, "rolled back": release.rolled_back}
    words = [word for word, holds in states.items() if holds]
    # Why it failed may be long, with the end of its log: the first line names it.
    reason = release.reason.splitlines()[0] if release.reason else ""
    return ", ".join([*words, f"{release.verdict}: {reason}" if reason else release.verdict])


def colour(release: Release, text: str) -> str:
    if release.failed or release.verdict.startswith("not "):
        return f"[red]{text}[/]"
    return f"[green]{text}[/]" if release.current else text


def ago(seconds: float) -> str:
    """An age for people: 5 s ago, 3 min ago, 2 h ago, 4 days ago."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= (2 * length if unit == "days" else length):
            return f"{int(seconds // length)} {unit} ago"
    return f"{max(0, int(seconds))} s ago"
