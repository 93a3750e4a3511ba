"""Whether a pull request is closed: asked of a server that answers as GitHub, GitLab or nobody does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from ops.env.pull_requests import UnknownError, is_closed

TOKEN = "a-token-that-nobody-sees"
DOCUMENT = {"head": {"sha": "a"}, "html_url": "u", "sha": "a", "web_url": "u"}


class Forge(BaseHTTPRequestHandler):
    """Answers by the pull request's number, and notes what it was asked."""

    asked: ClassVar[list[tuple[str, str]]] = []
    answers: ClassVar[dict[str, tuple[int, str]]] = {
        "1": (200, json.dumps({**DOCUMENT, "state": "open"})),
        "2": (200, json.dumps({**DOCUMENT, "state": "closed"})),
        "3": (200, json.dumps({**DOCUMENT, "state": "merged"})),
        "4": (404, json.dumps({"message": "Not Found"})),
        "5": (401, "{}"),
        "6": (200, "<html>"),
        "7": (200, "[]"),
        "8": (302, ""),
        "9": (503, ""),
        "10": (302, ""),
        "r": (200, "{}"),
    }

    def do_GET(self) -> None:
        token = self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN") or ""
        self.asked.append((self.path, token))
        status, body = self.answers[self.path.rsplit("/", 1)[-1]]
        self.send_response(status)
        if status == 302:
            elsewhere = "http://localhost:9" if self.path.endswith("/8") else ""
            self.send_header("Location", f"{elsewhere}/repos/o/r/pulls/2")
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
def github(address: str) -> dict[str, str]:
    return {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "o/r", "GITHUB_API_URL": address}


def closed(environ: dict[str, str], number: int) -> bool:
    return is_closed(environ, number, lambda _: None, sleep=lambda _: None)


def test_github_is_asked_for_the_pull_request(github: dict[str, str]) -> None:
    assert [closed(github, number) for number in (1, 2)] == [False, True]
    assert Forge.asked[-1] == ("/repos/o/r/pulls/2", f"Bearer {TOKEN}")


@pytest.mark.parametrize(("project", "path"), [("7", "7"), ("group/name", "group%2Fname")])
def test_gitlab_is_asked_for_the_merge_request(address: str, project: str, path: str) -> None:
    environ = {"GITLAB_TOKEN": TOKEN, "CI_API_V4_URL": f"{address}/api/v4", "CI_PROJECT_ID": project}
    assert closed(environ, 3) is True
    assert Forge.asked[-1] == (f"/api/v4/projects/{path}/merge_requests/3", TOKEN)


def test_the_token_is_the_one_of_the_environment(
    github: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password another")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert closed(github, 2) is True
    assert Forge.asked[-1] == ("/repos/o/r/pulls/2", f"Bearer {TOKEN}")


def test_a_repository_that_has_moved_is_followed_on_the_same_host(github: dict[str, str]) -> None:
    assert closed(github, 10) is True


@pytest.mark.parametrize("number", [4, 5, 6, 7, 8, 9])
def test_no_clear_answer_is_no_closed_pull_request(github: dict[str, str], number: int) -> None:
    with pytest.raises(UnknownError) as caught:
        closed(github, number)
    assert TOKEN not in str(caught.value)


def test_nobody_there_is_no_closed_pull_request(github: dict[str, str]) -> None:
    with pytest.raises(UnknownError, match="cannot be reached"):
        closed({**github, "GITHUB_API_URL": "http://127.0.0.1:9"}, 1)


@pytest.mark.parametrize(
    "environ", [{}, {"GITHUB_TOKEN": TOKEN}, {"GITLAB_TOKEN": TOKEN, "CI_PROJECT_ID": "7"}]
)
def test_without_a_token_nobody_is_asked(environ: dict[str, str]) -> None:
    with pytest.raises(UnknownError, match="no token"):
        closed(environ, 1)
