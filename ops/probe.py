"""Asks a serving stack all the time while it is changed, so that each deploy tells what it cost clients."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from components.settings import StackSettings
    from ops.output import Output
    from ops.state import StackState

# Of each of two clients: one keeps its connection, the other makes a new one for each request.
PER_SECOND = 10.0
TIMEOUT_SECONDS = 10.0


@dataclass
class ProbeFigures:
    """What came of the requests. `slowest` is in seconds; `failures` counts by what went wrong."""

    sent: int = 0
    slowest: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def failed(self) -> int:
        return self.failures.total()

    def add(self, problem: str, took: float) -> None:
        """Count one request; `problem` is empty where it was served."""
        with self._lock:
            self.sent += 1
            self.slowest = max(self.slowest, took)
            if problem:
                self.failures[problem] += 1

    def as_json(self) -> dict[str, Any]:
        return {
            "sent": self.sent,
            "failed": self.failed,
            "slowest_seconds": round(self.slowest, 3),
            "failures": dict(self.failures),
        }

    def __str__(self) -> str:
        told = ", ".join(f"{problem}: {count}" for problem, count in self.failures.most_common())
        figures = f"{self.sent} sent, {self.failed} failed, slowest {self.slowest * 1000:.0f} ms"
        return f"{figures} ({told})" if told else figures


class Probe:
    """Two clients that ask `url` from entering the context to leaving it. Loads next to nothing."""

    def __init__(self, url: str, per_second: float = PER_SECOND) -> None:
        self.figures = ProbeFigures()
        self._url = url
        self._pause = 1 / per_second
        self._over = threading.Event()
        self._clients = [
            threading.Thread(target=self._ask, args=(keep,), name="probe", daemon=True)
            for keep in (True, False)
        ]

    def __enter__(self) -> Probe:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for client in self._clients:
            client.join()

    def _ask(self, keep: bool) -> None:
        connection = connect(self._url)
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._pause, time.monotonic())
            began = time.monotonic()
            problem = ask(connection, self._url)
            self.figures.add(problem, time.monotonic() - began)
            if not keep or problem:
                connection.close()
        connection.close()


def serves(url: str) -> bool:
    """Whether somebody answers there now."""
    connection = connect(url, timeout=2)
    try:
        return not ask(connection, url)
    finally:
        connection.close()


def connect(url: str, timeout: float = TIMEOUT_SECONDS) -> http.client.HTTPConnection:
    """A connection that is made when it is first used."""
    address = urlsplit(url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    return kind(address.hostname or "", address.port, timeout=timeout)


def ask(connection: http.client.HTTPConnection, url: str) -> str:
    """Send one request. Returns what went wrong, in a few words, or nothing."""
    reused = connection.sock is not None
    try:
        return _ask_once(connection, url)
    except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
        connection.close()
        # A connection that was closed while it lay idle is no failure: every client asks again.
        return ask(connection, url) if reused else type(error).__name__
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return type(error).__name__


def _ask_once(connection: http.client.HTTPConnection, url: str) -> str:
    connection.request("GET", urlsplit(url).path or "/", headers={"User-Agent": "medianest-probe"})
    with connection.getresponse() as answer:
        answer.read()
        return "" if answer.status == 200 else f"status {answer.status}"


@contextmanager
def probing(
    state: StackState | None, settings: StackSettings, output: Output
) -> Iterator[ProbeFigures | None]:
    """Ask the stack all the time while the block runs, and say what came of it, however the block ends.

    Where it does not serve yet there is nothing to ask: None. `state` is that before the update.
    """
    url = f"{state.outputs['url']}{settings.backend.health.live}" if state and "url" in state.outputs else ""
    if not url or not serves(url):
        yield None
        return
    probe = Probe(url)
    try:
        with probe:
            yield probe.figures
    finally:
        output.progress(f"Requests meanwhile: {probe.figures}")
