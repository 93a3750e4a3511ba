"""The whole process, killed in the middle: what it had accepted is done by the next one, once."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import psycopg
from process import Process, Start

from media.samples import picture


def states(database_url: str) -> Counter[str]:
    with psycopg.connect(database_url) as connection:
        return Counter(row[0] for row in connection.execute("SELECT state FROM pictures"))


def authorization(process: Process, environment: dict[str, str]) -> dict[str, str]:
    credentials = {"username": environment["DEMO_USER"], "password": environment["DEMO_PASSWORD"]}
    answer = httpx.post(f"http://127.0.0.1:{process.port}/api/auth/login", json=credentials, timeout=30)
    return {"Authorization": f"Bearer {answer.json()['access_token']}", "Content-Type": "image/png"}


def accept(process: Process, headers: dict[str, str], many: int, size: tuple[int, int]) -> list[str]:
    ids = []
    with httpx.Client(base_url=f"http://127.0.0.1:{process.port}", headers=headers, timeout=30) as client:
        for seed in range(many):
            answer = client.post("/api/media", content=picture("PNG", size, seed=seed, compress_level=1))
            assert answer.status_code == 202, answer.text
            ids.append(answer.json()["id"])
    return ids


def connections(database_url: str) -> int:
    """Those of others."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    with psycopg.connect(database_url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def wait_for(database_url: str, expected: Counter[str], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while states(database_url) != expected:
        assert time.monotonic() < deadline, states(database_url)
        time.sleep(0.05)


def test_a_killed_backend_loses_no_job(start: Start, direct: dict[str, str], tmp_path: Path) -> None:
    url = direct["DATABASE_URL"]
    first = start(direct)
    first.wait_for("/api/health/ready", 200)
    headers = authorization(first, direct)
    ids = accept(first, headers, many=8, size=(2400, 2400))
    deadline = time.monotonic() + 60
    while not states(url)["running"]:
        assert time.monotonic() < deadline, states(url)
    first.signal(signal.SIGKILL)
    first.exit_code()
    # Postgres ends the statement that it was at.
    wait_until(lambda: connections(url) == 0)
    left = states(url)
    assert left["running"] > 0
    assert left["running"] + left["queued"] + left["done"] == 8
    with psycopg.connect(url) as connection:
        # As if so much of the lease, which nobody renews any more, had passed.
        connection.execute("UPDATE pictures SET lease_until = lease_until - interval '15 s'")
    second = start(direct)
    second.wait_for("/api/health/ready", 200)
    wait_for(url, Counter(done=8))
    with psycopg.connect(url) as connection:
        attempts = [row[0] for row in connection.execute("SELECT attempts FROM pictures")]
    # Those that were running when it was killed were claimed twice, the others once.
    assert Counter(attempts) == Counter({1: 8 - left["running"], 2: left["running"]})
    base = f"http://127.0.0.1:{second.port}"
    for media_id in ids:
        for size in (160, 480, 1280):
            image = httpx.get(f"{base}/api/media/{media_id}/thumbnails/{size}", headers=headers, timeout=30)
            assert image.status_code == 200
    second.signal(signal.SIGTERM)
    assert second.exit_code() == 0
    media = tmp_path / "media"
    assert len(list(media.glob("pictures/*/*/*"))) == 8 * 4


def test_asked_to_stop_it_hands_back_what_it_cannot_finish(start: Start, direct: dict[str, str]) -> None:
    url = direct["DATABASE_URL"]
    first = start(direct)
    first.wait_for("/api/health/ready", 200)
    accept(first, authorization(first, direct), many=8, size=(2400, 2400))
    first.signal(signal.SIGTERM)
    assert first.exit_code() == 0
    left = states(url)
    assert left["running"] == 0
    assert left["done"] + left["queued"] == 8
    second = start(direct)
    wait_for(url, Counter(done=8))
    with psycopg.connect(url) as connection:
        assert {row[0] for row in connection.execute("SELECT attempts FROM pictures")} == {1}
    second.signal(signal.SIGTERM)
    assert second.exit_code() == 0


def test_a_client_that_goes_away_leaves_nothing(start: Start, direct: dict[str, str], tmp_path: Path) -> None:
    process = start(direct)
    process.wait_for("/api/health/ready", 200)
    headers = authorization(process, direct)
    content = picture("PNG", (50, 50)) + os.urandom(500_000)
    incoming = tmp_path / "media" / "incoming"
    for sent in (0, 10, 300_000):
        with socket.create_connection(("127.0.0.1", process.port), timeout=10) as connection:
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            request = (
                f"POST /api/media HTTP/1.1\r\nHost: backend\r\n{head}Content-Length: {len(content)}\r\n\r\n"
            )
            connection.sendall(request.encode() + content[:sent])
            wait_until(lambda: len(list(incoming.iterdir())) == 1)
        wait_until(lambda: not list(incoming.iterdir()))
    assert states(direct["DATABASE_URL"]) == Counter()
    assert httpx.get(f"http://127.0.0.1:{process.port}/api/health/live").status_code == 200
    process.signal(signal.SIGTERM)
    assert process.exit_code() == 0
    log = process.log()
    assert [line["message"] for line in log].count("Upload was broken off") == 3
    assert not [line for line in log if line["level"] in ("error", "critical")]


def wait_until(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_volume_that_cannot_be_written_ends_it_with_one_clear_message(
    start: Start, direct: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "media").touch()
    process = start(direct)
    assert process.exit_code() == 1
    (line,) = [line for line in process.log() if line["level"] == "critical"]
    assert line["problems"] == [
        f"MEDIA_DIRECTORY {tmp_path}/media cannot be written (Not a directory): it must be a directory, or a"
        f" volume, that belongs to user {os.getuid()}"
    ]
