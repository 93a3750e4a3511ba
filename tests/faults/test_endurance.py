"""10,000 operations of each kind leave memory and connections as they were."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.harness.backend_container import BackendContainer
from tests.harness.fault_results import measured
from tests.harness.pictures import png

pytestmark = pytest.mark.slow

OPERATIONS = 10_000
WARM_UP = 1_000
CLIENTS = 8
GROWTH = 1.05
# The pool gives up one idle connection after the other.
POOL_SECONDS = 240
SMALLEST_POOL = 2

Request = tuple[str, str, bytes | None, dict[str, str]]
JSON = {"Content-Type": "application/json"}


def read(_number: int, _backend: BackendContainer) -> Request:
    return "GET", "/api/users/me", None, {}


def listing(_number: int, _backend: BackendContainer) -> Request:
    return "GET", "/api/media", None, {}


def rename(number: int, _backend: BackendContainer) -> Request:
    return "PATCH", "/api/users/me", json.dumps({"display_name": f"name {number}"}).encode(), JSON


def verify_token(_number: int, _backend: BackendContainer) -> Request:
    return "POST", "/api/auth/test-jwt", b"", {}


def login(_number: int, backend: BackendContainer) -> Request:
    return "POST", "/api/auth/login", json.dumps(backend.credentials).encode(), JSON


def upload(number: int, _backend: BackendContainer) -> Request:
    return "POST", "/api/media", png(number), {"Content-Type": "image/png"}


def health(_number: int, _backend: BackendContainer) -> Request:
    return "GET", "/api/health", None, {}


Kind = Callable[[int, BackendContainer], Request]


def send(backend: BackendContainer, kind: Kind, count: int, first: int) -> Counter[int]:
    """Send so many requests over a few lasting connections. A full queue is asked again."""
    address, token, answers = urlsplit(backend.url), backend.token(), Counter[int]()
    left, lock = iter(range(first, first + count)), threading.Lock()

    def client() -> None:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        while True:
            with lock:
                number = next(left, None)
            if number is None:
                break
            status = 429
            while status == 429:
                method, path, body, headers = kind(number, backend)
                connection.request(method, path, body, {"Authorization": f"Bearer {token}", **headers})
                with connection.getresponse() as answer:
                    answer.read()
                    status = answer.status
                if status == 429:
                    time.sleep(0.1)
            answers[status] += 1
        connection.close()

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return answers


@pytest.mark.parametrize("kind", [health, read, listing, rename, verify_token, login, upload])
@pytest.mark.fault("ten thousand operations of each kind", "memory is where it was")
def test_memory_is_where_it_was(running: BackendContainer, kind: Kind) -> None:
    assert set(send(running, kind, WARM_UP, 0)) <= {200, 202}
    before = running.metric("process_resident_memory_bytes")
    answers = send(running, kind, OPERATIONS, WARM_UP)
    after = running.metric("process_resident_memory_bytes")
    measured(f"{before / 1e6:.1f} MB before, {after / 1e6:.1f} MB after")
    print(kind.__name__, dict(answers))
    assert set(answers) <= {200, 202}
    assert answers.total() == OPERATIONS
    assert after < before * GROWTH


@pytest.mark.fault("a pool that had to grow", "it is small again")
def test_the_pool_is_small_again(running: BackendContainer) -> None:
    deadline = time.monotonic() + POOL_SECONDS
    while running.metric("medianest_database_connections") > SMALLEST_POOL and time.monotonic() < deadline:
        time.sleep(1)
    assert running.metric("medianest_database_connections") == SMALLEST_POOL
