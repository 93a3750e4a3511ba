"""The log as the page shows it: in order, short, and without secrets."""

from __future__ import annotations

import pytest

from guardian.dashboard.log_tail import masked, read

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("password=hunter2hunter2 for demo", "password=… for demo"),
        ('{"user": "demo", "password": "hunter2 \\"x", "n": 1}', '{"user": "demo", "password": …, "n": 1}'),
        ("DB_PASSWORD: hunter2", "DB_PASSWORD: …"),
        ("Authorization: Bearer abcdefghijkl", "Authorization: …"),
        ("sent Bearer abcdefghijkl to it", "sent Bearer … to it"),
        ("GET /x?api_key=abc&n=1", "GET /x?api_key=…&n=1"),
        (
            "postgresql://medianest_a:pass-word@postgres:5432/db",
            "postgresql://medianest_a:…@postgres:5432/db",
        ),
        ("redis://:pass@redis/0", "redis://:…@redis/0"),
        (f"token {TOKEN} expired", "token … expired"),
        ("it-is-the-known-one is here", "… is here"),
        # What is none stays.
        ("Secrets validation completed successfully", "Secrets validation completed successfully"),
        ("tokens: 3 a minute at http://backend:3000/x", "tokens: 3 a minute at http://backend:3000/x"),
        (
            '{"event": "request", "path": "/api/auth/login"}',
            '{"event": "request", "path": "/api/auth/login"}',
        ),
    ],
)
def test_secrets_are_taken_out(line: str, shown: str) -> None:
    assert masked(line, ["it-is-the-known-one"]) == shown


def test_lines_have_their_moment_and_their_container() -> None:
    text = (
        "2026-11-24T10:00:01.123456789Z begun\n"
        "2026-11-24T10:00:02Z secret=x\n"
        "a line without a stamp is part of nothing\n"
        f"2026-11-24T10:00:03.5Z {'y' * 5000}\n"
    )
    lines = read("backend-0", text)
    assert [(line.at, line.text[:8]) for line in lines] == [
        ("2026-11-24T10:00:01", "begun"),
        ("2026-11-24T10:00:02", "secret=…"),
        ("2026-11-24T10:00:03", "yyyyyyyy"),
    ]
    assert len(lines[2].text) == 600
