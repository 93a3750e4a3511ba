"""A mixed load on one backend, with a log of what was acknowledged, to be compared at the end."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import requests

from tests.harness.backend_container import BackendContainer
from tests.harness.pictures import png

LONGEST_SECONDS = 120
PATIENCE_SECONDS = 15
JOB_SECONDS = 90
DONE = frozenset({200, 202})

Send = Callable[[requests.Session], None]


@dataclass
class MixedLoad:
    """What came of the requests.

    `answers` counts by kind the status codes, or the errors' names; `slowest` is in seconds.
    `uploaded` holds the ids of acknowledged uploads.
    """

    backend: BackendContainer
    answers: dict[str, Counter[int | str]] = field(default_factory=dict)
    slowest: dict[str, float] = field(default_factory=dict)
    uploaded: list[str] = field(default_factory=list)
    _acknowledged_name: str | None = None
    _later_names: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(random.getrandbits(23)))

    @contextmanager
    def running(self, *, cancelling: bool = False) -> Iterator[MixedLoad]:
        """Send requests until the block ends, of each kind at a rate of its own."""
        token, stop = self.backend.token(), threading.Event()
        rates: list[tuple[Send, float]] = [
            (self._login, 2.0),
            (self._read, 50.0),
            (self._list, 30.0),
            (self._rename, 5.0),
            (self._upload, 5.0),
            *([(self._cancel, 20.0)] if cancelling else []),
        ]
        senders = [
            threading.Thread(target=_repeat, args=(send, rate, token, stop), daemon=True)
            for send, rate in rates
        ]
        for sender in senders:
            sender.start()
        try:
            yield self
        finally:
            stop.set()
            for sender in senders:
                sender.join()

    def unexpected(self, *allowed: int | str) -> dict[str, dict[int | str, int]]:
        """Answers that are neither a success nor one of `allowed`, by kind."""
        fine = DONE | set(allowed)
        odd = {
            kind: {answer: count for answer, count in seen.items() if answer not in fine}
            for kind, seen in self.answers.items()
        }
        return {kind: seen for kind, seen in odd.items() if seen}

    def assert_nothing_is_lost(self) -> None:
        """Every acknowledged upload is done, once, and the last acknowledged name is there."""
        url = self.backend.url
        assert len(set(self.uploaded)) == len(self.uploaded)
        with requests.Session() as client:
            client.headers["Authorization"] = f"Bearer {self.backend.token()}"
            deadline = time.monotonic() + JOB_SECONDS
            for identifier in self.uploaded:
                document: dict[str, object] = {}
                while document.get("state") not in ("done", "failed") and time.monotonic() < deadline:
                    document = client.get(f"{url}/api/media/{identifier}", timeout=10).json()
                    time.sleep(0 if document.get("state") == "done" else 0.05)
                assert document["state"] == "done", document
            if self._acknowledged_name is not None:
                shown = client.get(f"{url}/api/users/me", timeout=10).json()["display_name"]
                assert shown in [self._acknowledged_name, *self._later_names]

    def _login(self, client: requests.Session) -> None:
        self._send("login", partial(client.post, json=self.backend.credentials), "/api/auth/login")

    def _read(self, client: requests.Session) -> None:
        self._send("read", client.get, "/api/users/me")

    def _list(self, client: requests.Session) -> None:
        self._send("list", client.get, "/api/media")

    def _rename(self, client: requests.Session) -> None:
        name = f"name {next(self._numbers)}"
        answer = self._send("rename", partial(client.patch, json={"display_name": name}), "/api/users/me")
        if answer is not None and answer.status_code == 200:
            self._acknowledged_name = name
            self._later_names.clear()
        else:
            # Without an answer nobody knows whether it was made.
            self._later_names.append(name)

    def _upload(self, client: requests.Session) -> None:
        post = partial(client.post, data=png(next(self._numbers)), headers={"Content-Type": "image/png"})
        answer = self._send("upload", post, "/api/media")
        if answer is not None and answer.status_code in DONE:
            self.uploaded.append(answer.json()["id"])

    def _cancel(self, client: requests.Session) -> None:
        """Go away in the middle of a request, or before its answer, at random."""
        for path in ("/api/users/me", "/api/media"):
            with requests.Session() as impatient, suppress(requests.RequestException):
                impatient.headers.update(client.headers)
                impatient.get(self.backend.url + path, timeout=random.uniform(0.0005, 0.02))

    def _send(self, kind: str, send: Callable[..., requests.Response], path: str) -> requests.Response | None:
        began = time.monotonic()
        answer: requests.Response | None = None
        try:
            answer = send(self.backend.url + path, timeout=PATIENCE_SECONDS)
            outcome: int | str = answer.status_code
        except requests.RequestException as error:
            outcome = type(error).__name__
        self.answers.setdefault(kind, Counter())[outcome] += 1
        self.slowest[kind] = max(self.slowest.get(kind, 0.0), time.monotonic() - began)
        return answer


def _repeat(send: Send, per_second: float, token: str, stop: threading.Event) -> None:
    """At a fixed rate while answers are quick enough, one after the other where they are not."""
    began = due = time.monotonic()
    with requests.Session() as client:
        client.headers["Authorization"] = f"Bearer {token}"
        while not stop.wait(max(0.0, due - time.monotonic())):
            if time.monotonic() - began > LONGEST_SECONDS:
                return
            due = max(due + 1 / per_second, time.monotonic())
            send(client)
