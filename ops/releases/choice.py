"""Which release to go back to, and whether that may be. Pure: refusals are errors with the way out."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ops.errors import ExitCode, OperationError
from ops.releases.entries import Release

SHORTEST_PREFIX = 4


def choose(stack: str, releases: Sequence[Release], wanted: str | None, pinned: str) -> Release:
    """The release to go back to: the wanted one, else the last good one before the current one.

    `releases` is the list, the newest first; `pinned` is the release that the settings pin, if any.
    Raises OperationError: nothing may be touched then.
    """
    release = _named(stack, releases, wanted) if wanted else _before_the_current(stack, releases)
    if release.current and release.id == pinned:
        raise OperationError(
            f"stack {stack} is pinned to release {release.id} already, and it serves",
            f"Choose another one: ./medianest releases {stack}. Lift the pin with: "
            f"./medianest up {stack} --unpin",
            ExitCode.REFUSED,
        )
    if release.failed:
        raise OperationError(
            f"release {release.id} of stack {stack} never served: {release.reason or 'its deploy failed'}",
            left(stack, releases),
            ExitCode.REFUSED,
        )
    if not release.image_present:
        raise OperationError(
            f"the image of release {release.id} of stack {stack} is not on the engine any more",
            f"{left(stack, releases)} deploy.keep_releases says for how many releases images are kept.",
            ExitCode.REFUSED,
        )
    refuse_contracted(stack, releases, release)
    return release


def _named(stack: str, releases: Sequence[Release], wanted: str) -> Release:
    ids = [release.id for release in releases]
    begin = [identifier for identifier in ids if identifier.startswith(wanted)]
    if wanted not in ids and len(wanted) >= SHORTEST_PREFIX and len(begin) == 1:
        wanted = begin[0]
    for release in releases:
        if release.id == wanted:
            return release
    near = difflib.get_close_matches(wanted, ids, n=3, cutoff=0.5)
    question = f"Did you mean {' or '.join(near)}? " if near else ""
    known = f"Known releases: {', '.join(ids)}." if ids else "There are none yet."
    raise OperationError(
        f"release {wanted!r} of stack {stack} is not known", f"{question}{known}", ExitCode.USAGE
    )


def _before_the_current(stack: str, releases: Sequence[Release]) -> Release:
    current = next((place for place, release in enumerate(releases) if release.current), None)
    if current is None:
        raise OperationError(
            f"stack {stack} serves no release", f"Run: ./medianest up {stack}", ExitCode.REFUSED
        )
    if any(release.failed for release in releases[:current]):
        failed, serving = releases[0], releases[current]
        raise OperationError(
            f"release {failed.id} failed, and never took over: {serving.id} serves on, so there is nothing "
            "to roll back",
            f"To hold the stack at it: ./medianest rollback {stack} {serving.id}. To go further back, name "
            f"the release: ./medianest releases {stack}",
            ExitCode.REFUSED,
        )
    for release in releases[current + 1 :]:
        if release.was_good:
            return release
    raise OperationError(
        f"stack {stack} has no good release before {releases[current].id}",
        left(stack, releases),
        ExitCode.REFUSED,
    )


def left(stack: str, releases: Sequence[Release]) -> str:
    """Which releases can be gone back to."""
    usable = [r.id for r in releases if r.image_present and not r.failed and not r.current]
    if not usable:
        return f"There is none to go back to. Deploy what is in the tree: ./medianest up {stack}."
    return f"Those that can be gone back to: {', '.join(usable)}."


def refuse_contracted(stack: str, releases: Sequence[Release], target: Release) -> None:
    """Raise OperationError where the target's code cannot work on the schema that the database has.

    A schema never goes back, so the strictest of all releases that served counts, not only the
    current one's. Without labels nothing is known, and nothing refused: see `schema_note`.
    """
    if target.schema is None:
        return
    strictest = max(
        (release for release in releases if not release.failed and release.serves is not None),
        key=lambda release: release.serves or 0,
        default=None,
    )
    if strictest is None or strictest.serves is None or strictest.serves <= target.schema:
        return
    raise OperationError(
        f"release {target.id} of stack {stack} works on schema {target.schema}, but release {strictest.id} "
        f"has contracted it: the oldest that the database still serves is {strictest.serves}",
        "Nothing was touched. Go forward with a new release, or restore a backup of before.",
        ExitCode.REFUSED,
    )


def schema_note(releases: Sequence[Release], target: Release) -> str:
    """What cannot be told of the schema; empty where the labels tell it."""
    current = next((release for release in releases if release.current), None)
    if target.schema is None:
        return f"The image of {target.id} does not say which schema it works on: nothing was checked."
    if current is not None and current is not target and current.serves is None:
        return f"The image of {current.id} does not say which schemas it serves: nothing was checked."
    return ""
