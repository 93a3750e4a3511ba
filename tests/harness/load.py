"""A steady load on one URL of loopback, while something happens to what answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

LONGEST_SECONDS = 300


@dataclass
class Load:
    """What came of the requests so far."""

    sent: int = 0
    slowest: float = 0.0
    failures: list[str] = field(default_factory=list)


@contextmanager
def steady_load(url: str, per_second: float) -> Iterator[Load]:
    """GET the URL at a fixed rate, each time on a new connection, until the block ends.

    Every answer but 200 is a failure, and so is none within 10 s. Bounded in time in any case.
    """
    load, stop = Load(), threading.Event()
    workers = [
        threading.Thread(target=_send, args=(url, per_second / 4, load, stop), daemon=True) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    try:
        yield load
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def _send(url: str, per_second: float, load: Load, stop: threading.Event) -> None:
    began = due = time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())) and time.monotonic() - began < LONGEST_SECONDS:
        due += 1 / per_second
        sent = time.monotonic()
        try:
            status = requests.get(url, timeout=10).status_code
            problem = "" if status == 200 else f"status {status}"
        except requests.RequestException as error:
            problem = type(error).__name__
        load.sent += 1
        load.slowest = max(load.slowest, time.monotonic() - sent)
        if problem:
            load.failures.append(problem)
