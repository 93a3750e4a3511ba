"""The process that sends a load, apart from the test, so that neither slows the other.

    python -m tests.harness.load.client <PLAN, then a line to stop >READY, then the report

Every request has a time at which it is due, also while others wait for their answers: a server that stalls
does not hide by having fewer requests sent to it. A latency counts from the sending.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import select
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.harness.load.plan import BUSY, Kind, Plan
from tests.harness.pictures import png

READY = "ready"
TRICKLED_PARTS = 20
NUMBERS_A_SECOND = 50
# What a client may do again by itself where a lasting connection was closed (RFC 9110, section 9.2.2).
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS"})
CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass
class Results:
    """What came of the requests of one kind, and, in order, of those that write."""

    kind: Kind
    answers: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    repeated: int = 0
    failures: list[tuple[float, float, str]] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def as_json(self) -> dict[str, Any]:
        ordered = sorted(self.latencies)
        return {
            "sent": len(ordered),
            "failed": sum(
                count for answer, count in self.answers.items() if answer not in good_answers(self.kind)
            ),
            "p50": ordered[len(ordered) // 2] if ordered else 0.0,
            "slowest": ordered[-1] if ordered else 0.0,
            "answers": dict(self.answers),
            "repeated": self.repeated,
            "failures": self.failures,
            "acknowledged": self.acknowledged,
            "unanswered": self.unanswered,
        }


def good_answers(kind: Kind) -> set[str]:
    busy = BUSY if kind.body == "picture" else ()
    return {str(status) for status in (*kind.good, *busy)}


class Sender:
    """Sends one kind of request, by several threads on one schedule."""

    def __init__(
        self, plan: Plan, kind: Kind, numbers: Iterator[int], began: float, over: threading.Event
    ) -> None:
        self.results = Results(kind)
        self._plan, self._kind, self._began, self._over = plan, kind, began, over
        self._numbers = numbers
        self._due = (began + number / kind.per_second for number in itertools.count())
        address = urlsplit(plan.url)
        self._host, self._port = address.hostname or "", address.port
        # The order of names matters, so one follows the other.
        width = 1 if kind.body == "name" else 4 + round(kind.per_second * (kind.trickle_seconds + 0.05))
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(width)]

    def _work(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while True:
            with self.results.lock:
                due = next(self._due)
            if self._over.wait(max(0.0, due - time.monotonic())):
                break
            connection = self._send(connection)
        if connection:
            connection.close()

    def _send(self, connection: http.client.HTTPConnection | None) -> http.client.HTTPConnection | None:
        body, mark = self._body()
        if connection is not None and _was_closed(connection):
            connection.close()
            connection = None
        connection = connection or self._connect()
        reused, answer, sent = connection.sock is not None, b"", time.monotonic()
        try:
            try:
                status, answer = self._exchange(connection, body)
            except CLOSED:
                if not reused or self._kind.method not in IDEMPOTENT:
                    raise
                connection.close()
                self.results.repeated += 1
                status, answer = self._exchange(connection, body)
            outcome = str(status)
        except (OSError, http.client.HTTPException) as error:
            outcome = type(error).__name__
            connection.close()
        if not self._kind.cancelled:
            self._note(sent, outcome, mark, answer)
        if self._kind.keep and not self._kind.cancelled:
            return connection
        connection.close()
        return None

    def _note(self, sent: float, outcome: str, mark: str, answer: bytes) -> None:
        now, results = time.monotonic(), self.results
        with results.lock:
            results.answers[outcome] += 1
            results.latencies.append(now - sent)
            if outcome not in good_answers(self._kind):
                began, ended = (round(at - self._began, 2) for at in (sent, now))
                results.failures.append((began, ended, outcome))
            if not mark:
                return
            if outcome in map(str, self._kind.good):
                # A picture gets its name from the backend.
                results.acknowledged.append(json.loads(answer)["id"] if mark == "picture" else mark)
            else:
                results.unanswered.append(mark)

    def _connect(self) -> http.client.HTTPConnection:
        patience = random.uniform(0.0005, 0.02) if self._kind.cancelled else self._plan.patience_seconds
        return http.client.HTTPConnection(self._host, self._port, timeout=patience)

    def _body(self) -> tuple[bytes, str]:
        """A body, and the name by which its content is found again."""
        if self._kind.body == "picture":
            return png(next(self._numbers)), "picture"
        if self._kind.body == "name":
            name = f"name {next(self._numbers)}"
            return json.dumps({"display_name": name}).encode(), name
        if self._kind.body == "note":
            note = f"note {next(self._numbers)}"
            return note.encode(), note
        return self._kind.body.encode(), ""

    def _exchange(self, connection: http.client.HTTPConnection, body: bytes) -> tuple[int, bytes]:
        headers = {**self._plan.headers, "Content-Length": str(len(body))}
        if body:
            headers["Content-Type"] = self._kind.content_type
        trickled = self._kind.trickle_seconds > 0
        sent = self._trickled(body) if trickled else body
        connection.request(self._kind.method, self._kind.path, sent or None, headers)
        with connection.getresponse() as answer:
            return answer.status, answer.read()

    def _trickled(self, body: bytes) -> Iterator[bytes]:
        size = -(-len(body) // TRICKLED_PARTS)
        for start in range(0, len(body), size):
            yield body[start : start + size]
            time.sleep(self._kind.trickle_seconds / TRICKLED_PARTS)


def _was_closed(connection: http.client.HTTPConnection) -> bool:
    """Whether a lasting connection was closed while it lay idle: a read would not wait."""
    return connection.sock is not None and bool(select.select([connection.sock], [], [], 0)[0])


def main() -> None:
    plan = Plan.of(json.loads(sys.stdin.readline()))
    over, began = threading.Event(), time.monotonic()
    # Fewer bodies are made in a second than that, so no two loads have a number in common.
    numbers = itertools.count(round(time.time() * NUMBERS_A_SECOND))
    senders = [Sender(plan, kind, numbers, began, over) for kind in plan.kinds]
    for thread in (thread for sender in senders for thread in sender.threads):
        thread.start()
    print(READY, flush=True)
    # The end of the test, however it comes, is the end of its load.
    select.select([sys.stdin], [], [], plan.longest_seconds)
    over.set()
    seconds = time.monotonic() - began
    for thread in (thread for sender in senders for thread in sender.threads):
        thread.join(plan.patience_seconds + max(kind.trickle_seconds for kind in plan.kinds))
    kinds = {sender.results.kind.name: sender.results.as_json() for sender in senders}
    print(json.dumps({"seconds": round(seconds, 1), "kinds": kinds}))


if __name__ == "__main__":
    main()
