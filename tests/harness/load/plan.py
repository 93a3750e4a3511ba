"""What a load is made of: kinds of requests, each at a rate of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

OK = (200, 202)
# While somebody's picture is worked on, the next ones may have to wait (RFC 6585, section 4).
BUSY = (429,)


@dataclass(frozen=True)
class Kind:
    """One kind of request.

    `keep`: on lasting connections, else each on a new one. `body`: nothing, "picture", "name", "note" (each
    time another one), or a text. `trickle_seconds`: how long its body takes to be sent. `cancelled`: the
    client goes away in the middle of the request or before its answer, and counts nothing.
    """

    name: str
    method: str
    path: str
    per_second: float
    keep: bool = True
    body: str = ""
    content_type: str = "application/json"
    trickle_seconds: float = 0.0
    cancelled: bool = False
    good: Sequence[int] = OK


@dataclass(frozen=True)
class Plan:
    """Kinds of requests to one server, sent until told to stop, but no longer than `longest_seconds`.

    `patience_seconds` bounds one answer. Headers may hold secrets.
    """

    url: str
    kinds: Sequence[Kind]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    patience_seconds: float = 15.0
    longest_seconds: float = 400.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Plan:
        return cls(**{**document, "kinds": [Kind(**kind) for kind in document["kinds"]]})


def _picture(name: str, per_second: float, **more: Any) -> Kind:
    return Kind(name, "POST", "/api/media", per_second, body="picture", content_type="image/png", **more)


READ = "/api/users/me"
# 200 requests a second in sum, for the default backend; 6 bodies are on their way at any moment.
STEADY: Sequence[Kind] = (
    Kind("read", "GET", READ, 95),
    Kind("read, new connection", "GET", READ, 85, keep=False),
    Kind("list", "GET", "/api/media?limit=10", 10),
    Kind("rename", "PATCH", READ, 5, body="name"),
    _picture("upload", 3.5),
    _picture("slow upload", 1.5, trickle_seconds=4.0),
)


def reads(path: str, per_second: float, good: Sequence[int] = OK) -> list[Kind]:
    """Reads of one path, one half on lasting connections."""
    return [
        Kind("read", "GET", path, per_second / 2, good=good),
        Kind("read, new connection", "GET", path, per_second / 2, keep=False, good=good),
    ]


def faulty(login: str, cancelling: bool) -> list[Kind]:
    """For one container without a gateway; `login` is the body of a login."""
    return [
        Kind("login", "POST", "/api/auth/login", 2, body=login),
        Kind("read", "GET", READ, 50),
        Kind("list", "GET", "/api/media", 30),
        Kind("rename", "PATCH", READ, 5, body="name"),
        _picture("upload", 5),
        *([Kind("cancel", "GET", path, 20, cancelled=True) for path in (READ, "/api/media")] * cancelling),
    ]
