"""GitLab, as far as notes, emoji reactions and commit statuses go: made from its documentation."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ops.review.gitlab import LIMIT
from tests.review.stand_in import Document, Reply, Request, now, page_of

PROJECT = "/api/v4/projects/12"
REQUEST = f"{PROJECT}/merge_requests/5"
ROBOT: Document = {"id": 41, "username": "project_12_bot", "name": "preview"}
PERSON: Document = {"id": 7, "username": "anna", "name": "Anna"}
TOKEN = "glpat-0123456789robot"
HEAD = "b" * 40
NOT_FOUND = Reply(404, {"message": "404 Not found"})


@dataclass
class GitLabApi:
    """Merge request 5 of project 12."""

    state: str = "opened"
    notes: list[Document] = field(default_factory=list)
    awards: dict[int, list[Document]] = field(default_factory=dict)
    statuses: list[Document] = field(default_factory=list)
    checked_awards: bool = True
    """Whether a second award is noticed; GitLab does so before it stores, so that two can get through."""
    _last: int = 100

    def add(self, author: Document, body: str, system: bool = False) -> Document:
        self._last += 1
        note = {"id": self._last, "body": body, "author": author, "system": system}
        self.notes.append(note)
        return note

    def award(self, note: int, user: Document, name: str, since: str = "") -> Document:
        self._last += 1
        award = {"id": self._last, "name": name, "user": user, "created_at": since or now()}
        self.awards.setdefault(note, []).append(award)
        return award

    def remove(self, note: int) -> None:
        self.notes[:] = [one for one in self.notes if one["id"] != note]

    def answer(self, request: Request) -> Reply:
        if request.headers.get("private-token") != TOKEN:
            return Reply(401, {"message": "401 Unauthorized"})
        path = request.path
        if path == "/api/v4/user":
            return Reply(200, ROBOT)
        if path == PROJECT:
            return Reply(200, {"id": 12})
        if path == REQUEST:
            document = {"iid": 5, "sha": HEAD, "web_url": "https://gitlab.example/mr/5"}
            return Reply(200, {**document, "state": self.state})
        if path == f"{REQUEST}/notes":
            return self._notes(request)
        if match := re.fullmatch(rf"{REQUEST}/notes/(\d+)(/award_emoji(?:/(\d+))?)?", path):
            number, awards, award = match.groups()
            note = next((one for one in self.notes if one["id"] == int(number)), None)
            if note is None:
                return NOT_FOUND
            return self._awards(request, note, award) if awards else self._one(request, note)
        if path == f"{PROJECT}/statuses/{HEAD}":
            self.statuses.append(request.body)
            return Reply(201, request.body)
        return NOT_FOUND

    def _notes(self, request: Request) -> Reply:
        if request.method == "POST":
            if len(request.body["body"]) > LIMIT:
                return Reply(400, {"message": "400 (Bad request) note is too long"})
            return Reply(201, self.add(ROBOT, request.body["body"]))
        items, following = page_of(self.notes, request.query)
        return Reply(200, items, {"X-Next-Page": str(following or "")})

    def _one(self, request: Request, note: Document) -> Reply:
        if request.method == "DELETE":
            self.remove(note["id"])
            return Reply(204)
        if request.method == "PUT":
            note["body"] = request.body["body"]
        return Reply(200, note)

    def _awards(self, request: Request, note: Document, award: Any) -> Reply:
        there = self.awards.setdefault(note["id"], [])
        if request.method == "GET":
            return Reply(200, there)
        if request.method == "POST":
            name = request.body["name"]
            if self.checked_awards and any(one["name"] == name for one in there):
                return Reply(404, {"message": "404 Award Emoji Name has already been taken Not Found"})
            return Reply(201, self.award(note["id"], ROBOT, name))
        kept = [one for one in there if one["id"] != int(award)]
        gone = len(kept) < len(there)
        there[:] = kept
        return Reply(204) if gone else NOT_FOUND
