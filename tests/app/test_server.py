"""The process itself: how it starts, what it says when it cannot, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import psycopg
from medianest.server import DrainPlan
from process import Process, Start


def test_the_seconds_of_a_drain_are_shared_out() -> None:
    assert DrainPlan.of(15) == DrainPlan(pause=2, finish=9)
    assert DrainPlan.of(1) == DrainPlan(pause=0.2, finish=0.6)


def test_it_starts_serves_and_ends_cleanly(start: Start, direct: dict[str, str]) -> None:
    process = start(direct)
    process.wait_for("/api/health/ready", 200)
    assert process.get("/api/health").json()["services"]["secrets"] == "validated"
    process.signal(signal.SIGTERM)
    assert process.exit_code() == 0
    messages = [line["message"] for line in process.log()]
    assert messages[0] == "Secrets validation completed successfully"
    assert messages[-1] == "Stopped"
    output = "".join(process.output)
    for secret in (direct["JWT_SECRET"], direct["DEMO_PASSWORD"], direct["DATABASE_URL"]):
        assert secret not in output


def test_asked_to_stop_it_is_not_ready_but_serves_on(start: Start, direct: dict[str, str]) -> None:
    process = start(direct | {"DRAIN_SECONDS": "15"})
    process.wait_for("/api/health/ready", 200)
    process.signal(signal.SIGTERM)
    assert process.wait_for("/api/health/ready", 503).json() == {"status": "draining"}
    assert httpx.post(f"http://127.0.0.1:{process.port}/api/auth/test-jwt").status_code == 200
    assert process.exit_code() == 0


def test_a_request_that_has_begun_is_answered(start: Start, direct: dict[str, str]) -> None:
    process = start(direct)
    process.wait_for("/api/health/ready", 200)
    body = json.dumps({"username": "demo", "password": direct["DEMO_PASSWORD"]}).encode()
    with socket.create_connection(("127.0.0.1", process.port), timeout=10) as connection:
        head = "POST /api/auth/login HTTP/1.1\r\nHost: backend\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:5])
        time.sleep(0.2)
        process.signal(signal.SIGTERM)
        wait_until_closed(process)
        connection.sendall(body[5:])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"access_token" in answer
    assert process.exit_code() == 0


def wait_until_closed(process: Process) -> None:
    """Until it takes no connection any more."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            process.get("/api/health/live")
        except httpx.ConnectError:
            return
        except httpx.TransportError:
            pass  # it was taken, and ended at once
        time.sleep(0.05)
    raise AssertionError("it takes connections still")


def test_a_request_that_never_ends_does_not_hold_the_end_up(start: Start, direct: dict[str, str]) -> None:
    process = start(direct | {"DRAIN_SECONDS": "5"})
    process.wait_for("/api/health/ready", 200)
    with socket.create_connection(("127.0.0.1", process.port), timeout=10) as connection:
        head = b"POST /api/auth/login HTTP/1.1\r\nHost: backend\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b"Content-Length: 100\r\n\r\n{")
        time.sleep(0.2)
        process.signal(signal.SIGTERM)
        asked = time.monotonic()
        assert process.exit_code() == 0
    assert time.monotonic() - asked < 5


def test_asked_twice_it_does_not_pause(start: Start, direct: dict[str, str]) -> None:
    process = start(direct | {"DRAIN_SECONDS": "600"})
    process.wait_for("/api/health/ready", 200)
    process.signal(signal.SIGTERM)
    process.wait_for("/api/health/ready", 503)
    process.signal(signal.SIGINT)
    asked = time.monotonic()
    assert process.exit_code() == 0
    assert time.monotonic() - asked < 60


def test_it_lives_and_stops_while_it_waits_for_postgres(start: Start, direct: dict[str, str]) -> None:
    process = start(direct | {"DATABASE_URL": "postgresql://user:x7Kq2@127.0.0.1:9/medianest"})
    process.wait_for("/api/health/live", 200)
    assert process.get("/api/health/ready").json() == {"status": "starting"}
    assert process.get("/api/health").status_code == 503
    process.signal(signal.SIGTERM)
    assert process.exit_code() == 0


def test_a_weak_secret_ends_it_with_one_clear_message(start: Start, direct: dict[str, str]) -> None:
    process = start(direct | {"JWT_SECRET": "too-weak-value"})
    assert process.exit_code() == 1
    (line,) = process.log()
    assert (line["level"], line["message"]) == ("critical", "Secrets validation failed")
    assert line["problems"] == ["secret jwt_secret is too short: at least 32 characters are needed"]
    assert "too-weak-value" not in "".join(process.output)


def test_a_key_of_another_kind_ends_it_with_one_clear_message(start: Start, direct: dict[str, str]) -> None:
    process = start(direct | {"JWT_SECRET": '{"kty": "oct", "k": "a2V5IG9mIGFub3RoZXIga2luZA"}'})
    assert process.exit_code() == 1
    (line,) = process.log()
    assert line["problems"] == [
        "secret jwt_secret or jwt_secret_previous: "
        "a signing secret must be random text, not a key of another kind"
    ]
    assert "a2V5IG9m" not in "".join(process.output)


def test_a_wrong_variable_ends_it_with_one_clear_message(start: Start, direct: dict[str, str]) -> None:
    process = start(direct | {"DRAIN_SECONDS": "soon"})
    assert process.exit_code() == 1
    (line,) = process.log()
    assert line["problems"] == ["DRAIN_SECONDS must be a whole number from 1 to 600, not 'soon'"]


def test_a_schema_that_does_not_fit_ends_it(start: Start, direct: dict[str, str]) -> None:
    with psycopg.connect(direct["DATABASE_URL"]) as connection:
        connection.execute(
            "CREATE TABLE schema_migrations (version int PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        connection.execute("INSERT INTO schema_migrations VALUES (1, 'users', 'something else')")
    process = start(direct)
    assert process.exit_code() == 1
    (line,) = [line for line in process.log() if line["level"] == "critical"]
    assert line["problems"][0].startswith("migration 0001 was changed after it had been applied")


def test_a_port_that_is_taken_ends_it(start: Start, direct: dict[str, str]) -> None:
    first = start(direct)
    first.wait_for("/api/health/live", 200)
    second = subprocess.run(
        [sys.executable, "-m", "medianest"],
        env=os.environ | direct | {"PORT": str(first.port)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode != 0
    assert "address already in use" in second.stdout
    assert "Traceback" not in second.stdout + second.stderr
