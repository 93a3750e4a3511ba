"""A merge request on GitLab.com or on a GitLab of one's own.

Source: GitLab's documentation of its REST API (notes, emoji reactions, merge requests, commit statuses).
"""

from __future__ import annotations

from typing import Any

from ops.review.client import Client
from ops.review.errors import AnswerError, PostError
from ops.review.host import Check, Comment, Conclusion, PullRequest
from ops.review.place import Place

LIMIT = 1_000_000
LOCK = "eyes"
DESCRIPTION_CHARACTERS = 255
RIGHTS = "The token needs the scope api, and its user at least the role Reporter (Developer for the check)."


class GitLab:
    """One merge request."""

    name = "GitLab"
    limit = LIMIT
    rights = RIGHTS

    def __init__(self, client: Client, place: Place) -> None:
        self._client = client
        self._place = place
        self._project = f"/projects/{place.repository}"
        self._request = f"{self._project}/merge_requests/{place.number}"
        self._url = ""
        self._user: int | None = None

    def pull_request(self) -> PullRequest:
        """Raises PostError where there is none, or the token may not see it."""
        try:
            document = self._client.get(self._request).document
        except AnswerError as error:
            raise self._refused(error) from error
        self._url = document["web_url"]
        commit, closed = self._place.commit or document["sha"], document["state"] in ("closed", "merged")
        return PullRequest(self._place.number, commit, self._url, closed)

    def comments(self) -> list[Comment]:
        found = self._client.pages(f"{self._request}/notes", {"sort": "asc", "order_by": "created_at"})
        notes = [self._comment(note) for note in found if not note.get("system")]
        return sorted(notes, key=lambda comment: comment.id)

    def create(self, body: str) -> Comment:
        return self._comment(self._client.create(f"{self._request}/notes", {"body": body}).document)

    def read(self, comment: int) -> Comment | None:
        answer = self._client.ask("GET", self._path(comment))
        return self._comment(answer.document) if answer else None

    def edit(self, comment: int, body: str) -> Comment | None:
        answer = self._client.write("PUT", self._path(comment), {"body": body})
        return self._comment(answer.document) if answer else None

    def delete(self, comment: int) -> None:
        self._client.ask("DELETE", self._path(comment))

    def lock(self, comment: int) -> str | None:
        """An emoji reaction, of which a user can give a note only one: 404 for a second.

        GitLab checks that before it stores, not as it stores: of two that got through the older holds.
        """
        try:
            answer = self._client.create(f"{self._path(comment)}/award_emoji", {"name": LOCK})
        except AnswerError as error:
            if error.status == 404 and ("taken" in error.message or self.lock_held(comment)):
                return None
            raise
        ours = str(answer.document["id"])
        held = self.lock_held(comment)
        if held is None or held[0] == ours:
            return ours
        self.release(comment, ours)
        return None

    def lock_held(self, comment: int) -> tuple[str, float] | None:
        answer = self._client.get(f"{self._path(comment)}/award_emoji", {"per_page": 100})
        awards = sorted(answer.document, key=lambda award: int(award["id"]))
        for award in awards:
            if award["name"] == LOCK and award["user"]["id"] == self._who():
                return str(award["id"]), answer.age(award["created_at"])
        return None

    def release(self, comment: int, lock: str) -> None:
        self._client.ask("DELETE", f"{self._path(comment)}/award_emoji/{lock}")

    def set_check(self, commit: str, check: Check) -> None:
        # A commit status knows no neutral; its description says what it is about.
        failed = check.conclusion is Conclusion.FAILURE
        status = {
            "state": "failed" if failed else "success",
            "name": check.name,
            "description": check.title[:DESCRIPTION_CHARACTERS],
            **({"target_url": check.url} if check.url else {}),
        }
        self._client.create(f"{self._project}/statuses/{commit}", status)

    def _path(self, comment: int) -> str:
        return f"{self._request}/notes/{comment}"

    def _comment(self, note: Any) -> Comment:
        url = f"{self._url}#note_{note['id']}" if self._url else ""
        return Comment(note["id"], note["body"], note["author"]["id"] == self._who(), url)

    def _who(self) -> int:
        if self._user is None:
            try:
                self._user = int(self._client.get("/user").document["id"])
            except AnswerError as error:
                raise self._refused(error) from error
        return self._user

    def _refused(self, error: AnswerError) -> PostError:
        """What an answer means, where GitLab says 404 also for what a token must not see."""
        if error.status == 401:
            return PostError("GitLab does not accept GITLAB_TOKEN", "It may have expired: make a new one.")
        if error.status == 404 and self._sees_project():
            return PostError(f"merge request {self._place.number} does not exist", "Name another: --pr N")
        if error.status == 404:
            return PostError("the project does not exist, or the token may not see it", RIGHTS)
        return PostError(f"GitLab refuses: {error}", RIGHTS)

    def _sees_project(self) -> bool:
        try:
            self._client.get(self._project)
        except AnswerError:
            return False
        return True
