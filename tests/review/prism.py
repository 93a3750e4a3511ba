"""Prism, which holds requests against an OpenAPI description, as a server."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.harness.checkout import free_port
from tests.harness.node import node_environment
from tests.review.tools import node_packages

READY_SECONDS = 120
ANSWER_SECONDS = 60
GITHUB_DESCRIPTION = "node_modules/@octokit/openapi/generated/api.github.com.json"
GITHUB_PATHS = (
    "/user",
    "/repos/{owner}/{repo}",
    "/repos/{owner}/{repo}/pulls/{pull_number}",
    "/repos/{owner}/{repo}/issues/{issue_number}/comments",
    "/repos/{owner}/{repo}/issues/comments/{comment_id}",
    "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions",
    "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions/{reaction_id}",
    "/repos/{owner}/{repo}/check-runs",
    "/repos/{owner}/{repo}/statuses/{sha}",
)


@dataclass(frozen=True)
class Prism:
    """A running server. `violations` says how a request breaks the description; empty where it does not."""

    address: str
    prefix: str = ""
    """What stands in front of the paths of the description."""

    def violations(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> str:
        kept = {name: value for name, value in headers.items() if name.lower() in KEPT_HEADERS}
        answer = requests.request(
            method,
            self.address + path.removeprefix(self.prefix),
            data=body,
            headers=kept,
            timeout=ANSWER_SECONDS,
        )
        found = json.loads(answer.headers.get("sl-violations", "[]"))
        # Also told are those of its own made-up answer.
        refused = [one for one in found if one["location"][0] == "request"]
        # 404 of Prism itself: no such path or method in the description.
        unknown = answer.text if "stoplight.io/prism/errors" in answer.text else ""
        return str(refused or unknown or "")


KEPT_HEADERS = frozenset({"content-type", "accept", "authorization", "private-token"})


def github_description(directory: Path) -> Path:
    """GitHub's own description, with the paths that are used here and all that they refer to.

    Unabridged it is 13 MB, and takes Prism ten seconds.
    """
    whole = json.loads((node_packages() / GITHUB_DESCRIPTION).read_text())
    described: dict[str, Any] = {
        "openapi": whole["openapi"],
        "info": whole["info"],
        "paths": {path: whole["paths"][path] for path in GITHUB_PATHS},
        "components": {},
    }
    wanted = list(references(described["paths"]))
    while wanted:
        _, _, kind, name = wanted.pop().split("/")
        kept = described["components"].setdefault(kind, {})
        if name not in kept:
            kept[name] = whole["components"][kind][name]
            wanted.extend(references(kept[name]))
    target = directory / "github.json"
    target.write_text(json.dumps(described))
    return target


def references(part: Any) -> Iterator[str]:
    """Every `$ref` of a part of a description."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for item in part:
            yield from references(item)


@contextmanager
def serving(description: Path) -> Iterator[Prism]:
    """Prism with a description, on a free port of loopback."""
    port = free_port()
    program = node_packages() / "node_modules/@stoplight/prism-cli/dist/index.js"
    log = description.with_suffix(".log")
    with log.open("w") as written:
        process = subprocess.Popen(
            ["node", str(program), "mock", "--port", str(port), str(description)],
            env=dict(node_environment()),
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        until = time.monotonic() + READY_SECONDS
        while "Prism is listening" not in log.read_text():
            going_on = process.poll() is None and time.monotonic() < until
            assert going_on, log.read_text()[-2000:]
            time.sleep(0.05)
        yield Prism(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(30)
