"""Whether a pull request is closed: asked of a server that answers as GitHub, GitLab or nobody does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from ops.env.pull_requests import Host, UnknownError, host_of, is_closed

TOKEN = "a-token-that-nobody-sees"


class Forge(BaseHTTPRequestHandler):
    """Answers by the pull request's number, and notes what it was asked."""

    asked: ClassVar[list[tuple[str, str]]] = []
    answers: ClassVar[dict[str, tuple[int, str]]] = {
        "1": (200, json.dumps({"state": "open"})),
        "2": (200, json.dumps({"state": "closed"})),
        "3": (200, json.dumps({"state": "merged"})),
        "4": (404, json.dumps({"message": "Not Found"})),
        "5": (401, "{}"),
        "6": (200, "<html>"),
        "7": (200, "[]"),
        "8": (302, ""),
        "9": (503, ""),
    }

    def do_GET(self) -> None:
        token = self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN") or ""
        self.asked.append((self.path, token))
        status, body = self.answers[self.path.rsplit("/", 1)[-1]]
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/repos/o/r/pulls/2")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output is its own."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Forge)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def github(address: str) -> Host:
    host = host_of({"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "o/r", "GITHUB_API_URL": address})
    assert host is not None
    return host


def test_github_is_asked_for_the_pull_request(github: Host) -> None:
    assert [is_closed(github, number) for number in (1, 2)] == [False, True]
    assert Forge.asked[-1] == ("/repos/o/r/pulls/2", f"Bearer {TOKEN}")


def test_gitlab_is_asked_for_the_merge_request(address: str) -> None:
    host = host_of({"GITLAB_TOKEN": TOKEN, "CI_API_V4_URL": f"{address}/api/v4", "CI_PROJECT_ID": "7"})
    assert is_closed(host, 3) is True
    assert Forge.asked[-1] == ("/api/v4/projects/7/merge_requests/3", TOKEN)


@pytest.mark.parametrize("number", [4, 5, 6, 7, 8, 9])
def test_no_clear_answer_is_no_closed_pull_request(github: Host, number: int) -> None:
    with pytest.raises(UnknownError) as caught:
        is_closed(github, number)
    assert TOKEN not in str(caught.value)


def test_nobody_there_is_no_closed_pull_request() -> None:
    host = Host("http://127.0.0.1:9/{number}", {"Authorization": TOKEN})
    with pytest.raises(UnknownError, match="cannot be reached"):
        is_closed(host, 1)
    assert TOKEN not in repr(host)


@pytest.mark.parametrize(
    "environ", [{}, {"GITHUB_TOKEN": TOKEN}, {"GITLAB_TOKEN": TOKEN, "CI_PROJECT_ID": "7"}]
)
def test_without_a_token_nobody_is_asked(environ: dict[str, str]) -> None:
    host = host_of(environ)
    assert host is None
    with pytest.raises(UnknownError, match="no token"):
        is_closed(host, 1)
