"""Puts sections into the one comment of a pull request, whoever else does so at the same time.

No host has a conditional update, and to read back what was written does not help the run that was first:
the second may overwrite it after it has looked. So the comment is locked by the only thing of which a
user can give it just one, a reaction. A lock is a lease: who holds it writes only while it lasts, and a
dead run's is taken over when it has ended. Where reactions are refused, what was written is read back
after a pause, and written again while it was lost.

Two comments that were made at once become one: the oldest stays, takes over what the others have, and
the others are deleted.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ops.review.client import ANSWER_SECONDS, GONE
from ops.review.comment import Body, Section, holds, is_ours, parse
from ops.review.errors import AnswerError, PostError, UnknownOutcomeError
from ops.review.host import Comment, ReviewHost

ROUNDS = 12
LEASE_SECONDS = 30.0
WRITE_BEFORE_SECONDS = LEASE_SECONDS - ANSWER_SECONDS - 5.0
"""When in its lease a run begins its write, which takes at most ANSWER_SECONDS."""
LOOK_SECONDS = (0.2, 0.6)
SETTLE_SECONDS = (1.0, 3.0)
Build = Callable[[Body], Sequence[Section]]


@dataclass(frozen=True)
class Lease:
    """The right to write. `lock` releases it; empty where the host has no locks."""

    lock: str
    began: float

    @property
    def good(self) -> bool:
        return not self.lock or time.monotonic() - self.began < WRITE_BEFORE_SECONDS


class Publisher:
    """Puts sections into one pull request.

    `pause` sleeps so many seconds, for a reason, or raises PostError where that would be too long.
    """

    def __init__(
        self, host: ReviewHost, say: Callable[[str], None], pause: Callable[[float, str], None]
    ) -> None:
        self._host = host
        self._say = say
        self._pause = pause
        self._no_locks = False

    def publish(self, build: Build) -> Comment:
        """Put in the sections that `build` makes, given the comment as it is.

        Raises PostError, and AnswerError where a right is missing.
        """
        made: Comment | None = None
        why = ""
        for _ in range(ROUNDS):
            comments = self._ours(made)
            try:
                if not comments:
                    made = self._host.create(Body().with_sections(build(Body())).render(self._host.limit))
                    continue  # Look whether somebody else has made one, too.
                if made and [comment.id for comment in comments] == [made.id]:
                    return comments[0]
                made = None
                if written := self._update(comments[0], comments[1:], build):
                    return written
                why = "others have changed the comment each time that it was written"
            except UnknownOutcomeError as error:
                why = str(error)
                self._pause(error.wait, why)
        raise PostError(f"the comment could not be written in {ROUNDS} tries: {why}", "Run it again later.")

    def _ours(self, made: Comment | None) -> list[Comment]:
        """Our comments, the oldest first, also one just made that is not listed yet."""
        found = [comment for comment in self._host.comments() if comment.by_us and is_ours(comment.body)]
        if made and made.id not in {comment.id for comment in found} and self._host.read(made.id):
            found.append(made)
        return found

    def _update(self, oldest: Comment, others: Sequence[Comment], build: Build) -> Comment | None:
        """Bring the oldest comment up to date; None when that has to be done again."""
        with self._lease(oldest) as lease:
            if lease is None or (fresh := self._host.read(oldest.id)) is None:
                return None
            body = parse(fresh.body)
            for other in others:
                body = body.with_newer(parse(other.body))
            sections = build(body)
            text = body.with_sections(sections).render(self._host.limit)
            written = self._write(fresh, text, lease)
            if written is None or not holds(written.body, sections):
                return None
            for other in others:
                self._host.delete(other.id)
            return written

    def _write(self, fresh: Comment, text: str, lease: Lease) -> Comment | None:
        if text == fresh.body.replace("\r\n", "\n"):
            return fresh
        if not lease.good:
            return None
        written = self._host.edit(fresh.id, text)
        if written is None or lease.lock:
            return written
        self._pause(random.uniform(*SETTLE_SECONDS), "Looking whether the comment stays")  # noqa: S311
        return self._host.read(fresh.id)

    @contextmanager
    def _lease(self, comment: Comment) -> Iterator[Lease | None]:
        """The comment's lock; None where the comment is gone."""
        lease = self._take(comment)
        try:
            yield lease
        finally:
            if lease and lease.lock:
                # One that stays ends by itself.
                with suppress(AnswerError, PostError):
                    self._host.release(comment.id, lease.lock)

    def _take(self, comment: Comment) -> Lease | None:
        seen: dict[str, float] = {}
        while not self._no_locks:
            began = time.monotonic()
            try:
                if lock := self._host.lock(comment.id):
                    return Lease(lock, began)
            except AnswerError as error:
                if error.status in GONE and self._host.read(comment.id) is None:
                    return None
                self._no_locks = True
                break
            if held := self._host.lock_held(comment.id):
                other, age = held
                if not seen:
                    self._say("Another run is writing the comment: waiting for it")
                # By the host's clock or, where it tells none, by ours.
                if max(age, began - seen.setdefault(other, began)) > LEASE_SECONDS:
                    self._host.release(comment.id, other)
                    continue
            self._pause(random.uniform(*LOOK_SECONDS), "Another run is writing the comment")  # noqa: S311
        return Lease("", time.monotonic())
