"""Demo data for stacks to throw away: a seed that is always the same, and a copy that tells of nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import medianest
import psycopg
import pytest
from medianest import seed_command
from process import Start

SANITISE = (Path(medianest.__file__).parent / "sanitise.sql").read_bytes()


def seed(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "PYTHONPATH") or "COV" in k}
    return subprocess.run(
        [sys.executable, "-m", "medianest", "seed"],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_seed_is_there_once_however_often_it_runs(start: Start, direct: dict[str, str]) -> None:
    process = start(direct)
    process.wait_for("/api/health/ready", 200)
    for _ in range(2):
        done = seed(direct | {"PORT": str(process.port)})
        assert (done.returncode, done.stderr) == (0, "")
        assert "3 users with 3 pictures each: ada, grace, edsger" in done.stdout
        assert direct["DEMO_PASSWORD"] not in done.stdout
    with psycopg.connect(direct["DATABASE_URL"]) as connection:
        counted = connection.execute(
            "SELECT display_name, count(*) FROM users JOIN media ON owner = users.id GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert counted == [("Ada Lovelace", 3), ("Edsger Dijkstra", 3), ("Grace Hopper", 3)]


def test_pictures_depend_on_their_number_alone() -> None:
    drawn = [seed_command.draw(number) for number in range(9)]
    assert len(set(drawn)) == 9
    assert [seed_command.draw(number) for number in range(9)] == drawn


def test_where_nobody_serves_the_seed_says_so(direct: dict[str, str], start: Start) -> None:
    process = start(direct)
    process.wait_for("/api/health/ready", 200)
    process.end()
    done = seed(direct | {"PORT": str(process.port)})
    assert done.returncode == 1
    assert "Error: the backend did not take it" in done.stderr
    assert direct["DEMO_PASSWORD"] not in done.stderr


@pytest.mark.parametrize("missing", ["DATABASE_URL", "DEMO_PASSWORD"])
def test_what_the_seed_needs_it_names(direct: dict[str, str], missing: str) -> None:
    done = seed({name: value for name, value in direct.items() if name != missing})
    assert done.returncode == 1
    assert "database_url and demo_password must be there" in done.stderr


def test_a_sanitised_database_tells_of_nobody(start: Start, direct: dict[str, str]) -> None:
    process = start(direct)
    process.wait_for("/api/health/ready", 200)
    assert seed(direct | {"PORT": str(process.port)}).returncode == 0
    process.end()
    with psycopg.connect(direct["DATABASE_URL"]) as connection:
        connection.execute("INSERT INTO revocations (token_id, expires_at) VALUES ('a-token', now())")
        connection.execute(SANITISE)
        users = connection.execute("SELECT username, display_name, password_hash FROM users").fetchall()
        for table in (b"media", b"pictures", b"revocations"):
            assert connection.execute(b"SELECT count(*) FROM " + table).fetchone() == (0,)
    assert sorted(users) == [(f"user-{number}", f"User {number}", "!") for number in range(1, 5)]


@pytest.mark.parametrize(
    "change", [b"ALTER TABLE users ADD COLUMN phone text", b"CREATE TABLE letters (content text)"]
)
def test_what_the_script_does_not_know_stops_it(start: Start, direct: dict[str, str], change: bytes) -> None:
    process = start(direct)
    process.wait_for("/api/health/ready", 200)
    process.end()
    with psycopg.connect(direct["DATABASE_URL"]) as connection:
        connection.execute(change)
        with pytest.raises(psycopg.errors.RaiseException, match="does not know"):
            connection.execute(SANITISE)
        connection.rollback()
