"""GitHub, as far as comments, reactions, checks and statuses go."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ops.review.github import LIMIT
from tests.review.stand_in import Document, Reply, Request, now, page_of

REPOSITORY = "/repos/octo/site"
BOT: Document = {"id": 41, "login": "github-actions[bot]", "type": "Bot"}
PERSON: Document = {"id": 7, "login": "anna", "type": "User"}
ROBOT_USER: Document = {"id": 8, "login": "deploy-robot", "type": "User"}
BOT_TOKEN = "ghs_0123456789botbotbot"
USER_TOKEN = "ghp_0123456789useruser"
READING_TOKEN = "ghs_0123456789readonly"
USERS = {BOT_TOKEN: BOT, USER_TOKEN: ROBOT_USER, READING_TOKEN: BOT}
HEAD = "a" * 40
FORBIDDEN = Reply(403, {"message": "Resource not accessible by integration", "documentation_url": "x"})
NOT_FOUND = Reply(404, {"message": "Not Found", "documentation_url": "x"})


@dataclass
class GitHubApi:
    """Pull request 5 of octo/site."""

    state: str = "open"
    comments: list[Document] = field(default_factory=list)
    reactions: dict[int, list[Document]] = field(default_factory=dict)
    checks: list[Document] = field(default_factory=list)
    statuses: list[Document] = field(default_factory=list)
    with_reactions: bool = True
    _last: int = 100

    def add(self, user: Document, body: str) -> Document:
        self._last += 1
        comment = {
            "id": self._last,
            "body": body,
            "user": user,
            "html_url": f"https://github.example/c/{self._last}",
        }
        self.comments.append(comment)
        return comment

    def react(self, comment: int, user: Document, content: str, since: str = "") -> tuple[int, Document]:
        there = self.reactions.setdefault(comment, [])
        for reaction in there:
            if (reaction["user"], reaction["content"]) == (user, content):
                return 200, reaction
        self._last += 1
        reaction = {"id": self._last, "user": user, "content": content, "created_at": since or now()}
        there.append(reaction)
        return 201, reaction

    def remove(self, comment: int) -> None:
        self.comments[:] = [one for one in self.comments if one["id"] != comment]

    def answer(self, request: Request) -> Reply:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        user = USERS.get(token)
        if user is None:
            return Reply(401, {"message": "Bad credentials", "documentation_url": "x"})
        if request.path == "/user":
            return Reply(200, user) if user["type"] == "User" else FORBIDDEN
        if not request.path.startswith(REPOSITORY):
            return NOT_FOUND
        if token == READING_TOKEN and request.method != "GET":
            return FORBIDDEN
        path = request.path.removeprefix(REPOSITORY)
        if path == "":
            return Reply(200, {"full_name": "octo/site"})
        if path == "/pulls/5":
            document = {"number": 5, "head": {"sha": HEAD}, "html_url": "https://github.example/5"}
            return Reply(200, {**document, "state": self.state})
        if path == "/issues/5/comments":
            return self._comments(request, user)
        if match := re.fullmatch(r"/issues/comments/(\d+)(/reactions(?:/(\d+))?)?", path):
            number, reactions, reaction = match.groups()
            comment = next((one for one in self.comments if one["id"] == int(number)), None)
            if comment is None or (reactions and not self.with_reactions):
                return NOT_FOUND
            return (
                self._reactions(request, comment, user, reaction)
                if reactions
                else self._one(request, comment)
            )
        if path == "/check-runs":
            return self._check(request, user)
        if path == f"/statuses/{HEAD}":
            self.statuses.append(request.body)
            return Reply(201, request.body)
        return NOT_FOUND

    def _comments(self, request: Request, user: Document) -> Reply:
        if request.method == "POST":
            return too_long(request) or Reply(201, self.add(user, request.body["body"]))
        items, following = page_of(self.comments, request.query)
        # The address is another's on purpose: a link must not take the token elsewhere.
        link = f'<https://elsewhere.example/comments?per_page=100&page={following}>; rel="next"'
        return Reply(200, items, {"Link": link} if following else {})

    def _one(self, request: Request, comment: Document) -> Reply:
        if request.method == "DELETE":
            self.remove(comment["id"])
            return Reply(204)
        if request.method == "PATCH":
            if refused := too_long(request):
                return refused
            comment["body"] = request.body["body"]
        return Reply(200, comment)

    def _reactions(self, request: Request, comment: Document, user: Document, reaction: Any) -> Reply:
        there = self.reactions.setdefault(comment["id"], [])
        if request.method == "POST":
            return Reply(*self.react(comment["id"], user, request.body["content"]))
        if request.method == "GET":
            return Reply(200, [one for one in there if one["content"] == request.query["content"]])
        kept = [one for one in there if one["id"] != int(reaction)]
        gone = len(kept) < len(there)
        there[:] = kept
        return Reply(204) if gone else NOT_FOUND

    def _check(self, request: Request, user: Document) -> Reply:
        if user["type"] != "Bot":
            return Reply(
                403, {"message": "You must authenticate via a GitHub App.", "documentation_url": "x"}
            )
        self.checks.append(request.body)
        return Reply(201, request.body)


def too_long(request: Request) -> Reply | None:
    if len(request.body["body"]) <= LIMIT:
        return None
    errors = [{"resource": "IssueComment", "code": "unprocessable", "field": "data"}]
    message = f"Body is too long (maximum is {LIMIT} characters)"
    return Reply(422, {"message": message, "errors": errors, "documentation_url": "x"})
