"""A pull request on GitHub, or on a GitHub Enterprise Server.

Source: GitHub's published API description, which the tests hold every request against.
"""

from __future__ import annotations

from typing import Any

from ops.review.client import Client
from ops.review.errors import AnswerError, PostError
from ops.review.host import Check, Comment, Conclusion, PullRequest
from ops.review.place import Place

API_VERSION = "2022-11-28"
LIMIT = 65_536
LOCK = "eyes"
DESCRIPTION_CHARACTERS = 140

RIGHTS = (
    "In a workflow: permissions: {pull-requests: write, checks: write}. The token of a pull request from a "
    "fork can read only; a token of one's own needs `Pull requests: read and write`."
)


class GitHub:
    """One pull request."""

    name = "GitHub"
    limit = LIMIT
    rights = RIGHTS

    def __init__(self, client: Client, place: Place) -> None:
        self._client = client
        self._place = place
        self._repository = f"/repos/{place.repository}"
        self._user: int | None = None
        self._asked = False

    def pull_request(self) -> PullRequest:
        """Raises PostError where there is none, or the token may not see it."""
        number = self._place.number
        try:
            document = self._client.get(f"{self._repository}/pulls/{number}").document
        except AnswerError as error:
            raise self._refused(error) from error
        commit, closed = self._place.commit or document["head"]["sha"], document["state"] == "closed"
        return PullRequest(number, commit, document["html_url"], closed)

    def comments(self) -> list[Comment]:
        found = self._client.pages(f"{self._repository}/issues/{self._place.number}/comments")
        return sorted(map(self._comment, found), key=lambda comment: comment.id)

    def create(self, body: str) -> Comment:
        path = f"{self._repository}/issues/{self._place.number}/comments"
        document = self._client.create(path, {"body": body}).document
        # Who has made it is the user of the token.
        self._user, self._asked = document["user"]["id"], True
        return self._comment(document)

    def read(self, comment: int) -> Comment | None:
        answer = self._client.ask("GET", self._path(comment))
        return self._comment(answer.document) if answer else None

    def edit(self, comment: int, body: str) -> Comment | None:
        answer = self._client.write("PATCH", self._path(comment), {"body": body})
        return self._comment(answer.document) if answer else None

    def delete(self, comment: int) -> None:
        self._client.ask("DELETE", self._path(comment))

    def lock(self, comment: int) -> str | None:
        """A reaction, of which a user can give a comment only one: 201 for the first, 200 for others."""
        answer = self._client.create(f"{self._path(comment)}/reactions", {"content": LOCK})
        return str(answer.document["id"]) if answer.status == 201 else None

    def lock_held(self, comment: int) -> tuple[str, float] | None:
        answer = self._client.get(f"{self._path(comment)}/reactions", {"content": LOCK, "per_page": 100})
        for reaction in answer.document:
            if self._is_us(reaction.get("user")):
                return str(reaction["id"]), answer.age(reaction["created_at"])
        return None

    def release(self, comment: int, lock: str) -> None:
        self._client.ask("DELETE", f"{self._path(comment)}/reactions/{lock}")

    def set_check(self, commit: str, check: Check) -> None:
        """A check run, which only an app (such as a workflow) may make; else a commit status."""
        output = {"title": check.title, "summary": f"{check.title}\n\n{check.url}"}
        body = {
            "name": check.name,
            "head_sha": commit,
            "status": "completed",
            "conclusion": check.conclusion.value,
            "output": output,
            **({"details_url": check.url} if check.url else {}),
        }
        try:
            self._client.create(f"{self._repository}/check-runs", body)
        except AnswerError as error:
            if not error.forbids:
                raise
            # A commit status knows no neutral; its description says what it is about.
            failed = check.conclusion is Conclusion.FAILURE
            status = {
                "state": "failure" if failed else "success",
                "context": check.name,
                "description": check.title[:DESCRIPTION_CHARACTERS],
                **({"target_url": check.url} if check.url else {}),
            }
            self._client.create(f"{self._repository}/statuses/{commit}", status)

    def _path(self, comment: int) -> str:
        return f"{self._repository}/issues/comments/{comment}"

    def _comment(self, document: Any) -> Comment:
        return Comment(
            document["id"],
            document.get("body") or "",
            self._is_us(document.get("user")),
            document.get("html_url", ""),
        )

    def _is_us(self, user: Any) -> bool:
        """Whether it is the token's own user.

        The token of a workflow or an app may not ask who it is. It is a bot's, and no person can be one.
        """
        if not isinstance(user, dict):
            return False
        if not self._asked:
            self._user, self._asked = self._who(), True
        return user["id"] == self._user if self._user else user.get("type") == "Bot"

    def _who(self) -> int | None:
        try:
            return int(self._client.get("/user").document["id"])
        except AnswerError as error:
            if error.status in (403, 404):
                return None
            raise self._refused(error) from error

    def _refused(self, error: AnswerError) -> PostError:
        """What an answer means, where GitHub says 404 also for what a token must not see."""
        number, repository = self._place.number, self._place.repository
        if error.status == 401:
            return PostError("GitHub does not accept GITHUB_TOKEN", "It may have expired: make a new one.")
        if error.status == 404 and self._sees_repository():
            return PostError(f"pull request {number} of {repository} does not exist", "Name another: --pr N")
        if error.status == 404:
            return PostError(
                f"repository {repository} does not exist, or the token may not see it",
                "A fine-grained token must name this repository.",
            )
        return PostError(f"GitHub refuses: {error}", RIGHTS)

    def _sees_repository(self) -> bool:
        try:
            self._client.get(self._repository)
        except AnswerError:
            return False
        return True
