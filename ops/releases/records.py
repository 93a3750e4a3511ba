"""What Pulumi's history cannot know of a release: how its verification went, and why it failed.

Kept as tags of the stack in Pulumi's back end, one a release, so that a lost cache or a fresh clone loses
nothing; `pulumi stack tag ls` shows them. They go with the stack.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ops.errors import ExitCode, OperationError

if TYPE_CHECKING:
    from ops.session import Session

VERIFIED = "verified"
UNVERIFIED = "unverified"
NOT_VERIFIED = "not verified"
FAILED = "failed"
# Pulumi's service takes names of 40 and values of 256 characters.
LONGEST = 256


@dataclass(frozen=True)
class Record:
    """How a release went. `update` is when its update began, in seconds since 1970; `content` and `image`
    say what it ran, for back ends whose history does not. `build` is how many seconds the build of its
    image took, 0 where that is not known."""

    verdict: str
    reason: str = ""
    update: int = 0
    image: str = ""
    content: str = ""
    build: float = 0.0

    def as_tag(self) -> str:
        """The record as text, its reason shortened to what a tag holds."""
        known = {key: value for key, value in asdict(self).items() if key != "build" or value}
        empty = len(json.dumps({**known, "reason": ""}, ensure_ascii=False))
        reason = self.reason
        while empty + len(json.dumps(reason, ensure_ascii=False)) - 2 > LONGEST:
            reason = f"{reason[:-2].rstrip()}…"
        return json.dumps({**known, "reason": reason}, ensure_ascii=False)


def tag_name(project: str, release: str) -> str:
    return f"{project}:release.{release}"


def read_records(session: Session, stack: str) -> dict[str, Record]:
    """The records by release. A tag that is not one of ours is left alone."""
    return records(session.project.name, _tags(session, stack))


def records(project: str, tags: Mapping[str, str]) -> dict[str, Record]:
    prefix, found = tag_name(project, ""), {}
    for name, value in tags.items():
        if name.startswith(prefix):
            try:
                found[name.removeprefix(prefix)] = Record(**json.loads(value))
            except (ValueError, TypeError):
                continue
    return found


def build_seconds(known: Mapping[str, Record], release: str) -> float | None:
    """How long the build of a release's image took, by its own record or by that of another release with
    the same image; None where nobody knows."""
    own = known.get(release)
    if own is None:
        return None
    same = (record.build for record in known.values() if record.content == own.content and own.content)
    return own.build or next((build for build in same if build), None)


def _tags(session: Session, stack: str) -> Mapping[str, str]:
    if session.files is not None:
        return session.files.tags(session.project.name, stack)
    from ops.pulumi import Pulumi

    with Pulumi(session.project, stack, session.environment) as pulumi:
        return pulumi.tags()


def remember(
    session: Session,
    stack: str,
    verdict: str,
    reason: str,
    say: Callable[[str], None],
    since: datetime | None = None,
    build: float = 0.0,
) -> None:
    """Put on record how the last update's release went; with `since` only if that update is as new.
    `build` is how many seconds the build of its image took, where it was built.

    Where the back end takes no tags, that is said, and no more.
    """
    from ops.pulumi import Pulumi
    from ops.releases.deploys import facts, read_deploys

    last = read_deploys(session, stack, limit=1)
    state = session.state(stack)
    found = last[-1].facts if last and last[-1].facts else facts(state.resources if state else ())
    if not last or found is None or (verdict == FAILED and not found.problem):
        # An update that failed before a container was made was of no release yet.
        return
    if since is not None and last[-1].started < since:
        # Pulumi was killed before it wrote its history.
        return
    former = read_records(session, stack).get(found.release)
    if verdict == FAILED and former is not None and former.verdict != FAILED:
        # It did serve once: that it did not get healthy this time is not the release's own doing.
        return
    if verdict == UNVERIFIED and former is not None and former.verdict != FAILED:
        # The same release as then: what was seen of it holds.
        verdict, reason = former.verdict, former.reason
    built = build or (former.build if former else 0.0)
    began = int(last[-1].started.timestamp())
    record = Record(verdict, reason, began, found.image_id, found.content, built)
    try:
        with Pulumi(session.project, stack, session.environment) as pulumi:
            pulumi.set_tag(tag_name(session.project.name, found.release), record.as_tag())
    except OperationError as error:
        say(f"The verdict is not on record: {error.message}")


def remember_deployed(session: Session, stack: str, say: Callable[[str], None], build: float = 0.0) -> None:
    """Put on record which release an update was of that nobody verified, where the history has no states;
    and how long its build took, where there was one."""
    if session.files is None or build:
        remember(session, stack, UNVERIFIED, "", say, build=build)


@contextmanager
def failure_noted(session: Session, stack: str, say: Callable[[str], None]) -> Iterator[None]:
    """Put the reason of a failed update on record, and let the failure go on."""
    # The history has whole seconds.
    began = datetime.now(UTC).replace(microsecond=0)
    try:
        yield
    except OperationError as error:
        if error.code is ExitCode.FAILED:
            with suppress(OperationError):
                remember(session, stack, FAILED, first_line(error.message), say, began)
        raise


def first_line(message: str) -> str:
    """What failed, without whose stack it was and without the end of a log."""
    lines = message.splitlines()
    return lines[0].partition(" could not be deployed: ")[2] or lines[0] if lines else ""
