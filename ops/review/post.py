"""Posts plans into a pull request: the comment, a check a stack, and the summary of the job."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ops.plan.model import StackPlan
from ops.review.choices import Host, OnDanger
from ops.review.errors import AnswerError, PostError, UnknownOutcomeError
from ops.review.place import Place, find_place
from ops.review.verdict import check_of

if TYPE_CHECKING:
    from ops.review.client import Client
    from ops.review.comment import Body, Section
    from ops.review.host import PullRequest, ReviewHost

Say = Callable[[str], None]
Render = Callable[[StackPlan], str]
SUMMARY_BYTES = 1_000_000
"""GitHub refuses a step's summary of over 1 MiB."""
CHECK_TRIES = 3


@dataclass(frozen=True)
class Posted:
    """What was posted. `missed` says what was not, beside the comment, and why."""

    number: int
    url: str
    checks: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()


def post(
    plans: Sequence[StackPlan],
    host: Host,
    environment: Mapping[str, str],
    say: Say,
    *,
    number: int | None = None,
    on_danger: OnDanger = OnDanger.FAILURE,
    render: Render,
    sleep: Callable[[float], None] = time.sleep,
) -> Posted:
    """Post plans where the environment tells, as Markdown made by `render`.

    `number` is the pull request, where the environment does not name it. Raises PostError when the
    comment could not be written; a check that could not be set is told in `Posted.missed`.
    """
    from ops.review.connect import connect
    from ops.review.publish import Publisher

    missed = write_summary(plans, render, environment)
    place = find_place(host, environment, number, say)
    client, review = connect(place, say, sleep=sleep)
    say(f"Posting to {review.name}, {client.host}, pull request {place.number}")
    request = review.pull_request()

    def build(body: Body) -> Sequence[Section]:
        return sections(plans, render, place, request.commit, body, review.limit)

    try:
        comment = Publisher(review, say, client.pause).publish(build)
    except AnswerError as error:
        raise PostError(f"{review.name} refuses the comment: {error}", review.rights) from error
    _tell_later_runs(plans, place, comment.body, say)
    url = comment.url or request.url
    checks, refused = _set_checks(plans, review, request, url, on_danger, client)
    return Posted(place.number, url, checks, (*missed, *refused))


def sections(
    plans: Sequence[StackPlan],
    render: Render,
    place: Place,
    commit: str,
    body: Body,
    limit: int,
) -> list[Section]:
    """The sections of these plans, in the room that the other stacks of the comment leave."""
    from ops.review.comment import section_key
    from ops.review.section import section

    ours = {section_key(plan.project, plan.stack) for plan in plans}
    others = sum(len(present.marked) + 2 for key, present in body.sections.items() if key not in ours)
    written = len(body.before) + len(body.after)
    # Where the others take all, they are shortened instead.
    room = max(limit - 100 - written - others, limit // 4) // max(1, len(plans))
    return [section(plan, render, place, commit, body, room) for plan in plans]


def write_summary(
    plans: Sequence[StackPlan], render: Render, environment: Mapping[str, str]
) -> tuple[str, ...]:
    """Add the plans to the summary of a GitHub job; what went wrong, else nothing."""
    from ops.review.section import fitted
    from ops.review.text import inert

    path = environment.get("GITHUB_STEP_SUMMARY", "")
    if not path or not plans:
        return ()
    # A character takes up to four bytes.
    room = SUMMARY_BYTES // 4 // len(plans)
    text = "\n\n".join(inert(fitted(plan, render, room)).strip() for plan in plans)
    try:
        with Path(path).open("a") as summary:
            summary.write(text + "\n")
    except OSError as error:
        return (f"the job summary: {error.strerror}",)
    return ()


def _tell_later_runs(plans: Sequence[StackPlan], place: Place, text: str, say: Say) -> None:
    from ops.review.comment import parse, section_key

    present = parse(text).sections
    for plan in plans:
        section = present.get(section_key(plan.project, plan.stack))
        if section and section.order > place.order > 0:
            say(f"A later run has posted {plan.stack} already: left as it is")


def _set_checks(
    plans: Sequence[StackPlan],
    review: ReviewHost,
    request: PullRequest,
    url: str,
    on_danger: OnDanger,
    client: Client,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Set a check a plan. To set one twice does no harm: the later one counts."""
    done, missed = [], []
    for plan in plans:
        check = check_of(plan, on_danger, url)
        for attempt in range(CHECK_TRIES):
            try:
                review.set_check(request.commit, check)
                done.append(check.name)
            except UnknownOutcomeError as error:
                if attempt + 1 < CHECK_TRIES:
                    client.pause(error.wait, str(error))
                    continue
                missed.append(f"the check {check.name}: {error}")
            except (AnswerError, PostError) as error:
                missed.append(f"the check {check.name}: {error}")
            break
    return tuple(done), tuple(missed)
