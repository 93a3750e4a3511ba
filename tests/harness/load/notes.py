"""The notes of `examples/node-backend` under load: what was acknowledged is there, and there once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import requests

from tests.harness.load.load import Load, steady_load
from tests.harness.load.plan import Kind, reads

CREATED = (201,)
# 200 requests a second in sum; four bodies are on their way at any moment.
KINDS: Sequence[Kind] = (
    *reads("/live", 180),
    Kind("note", "POST", "/notes", 18, body="note", good=CREATED),
    Kind("slow note", "POST", "/notes", 2, keep=False, body="note", trickle_seconds=2.0, good=CREATED),
)


@contextmanager
def keeping_notes(url: str, key: str, title: str) -> Iterator[Load]:
    """Write and read until the block ends; no request may fail, no note be lost or doubled."""
    with steady_load(url, KINDS, {"X-Api-Key": key}, title) as load:
        yield load
    assert load.failed == 0, load.failures
    assert all(one.sent for one in load.kinds.values())
    kept = Counter(requests.get(f"{url}/notes", timeout=10).text.splitlines())
    acknowledged, _ = load.names("note")
    assert acknowledged
    assert not set(acknowledged) - kept.keys(), "acknowledged notes are lost"
    assert max(kept.values()) == 1, "a note was written twice"
