"""Postgres and Redis do what the backend needs of them, and no more."""

from __future__ import annotations

from tests.harness.deployed_stack import DeployedStack


def test_postgres_accepts_connections(stack: DeployedStack) -> None:
    settings = stack.settings.postgres
    (postgres,) = stack.of("postgres")
    answer = postgres.shell.run("pg_isready -h 127.0.0.1 -U %s -d %s", settings.user, settings.database)
    assert answer.rc == 0
    assert "accepting connections" in answer.stdout


def test_postgres_wants_a_password_over_the_network(stack: DeployedStack) -> None:
    settings = stack.settings.postgres
    (postgres,) = stack.of("postgres")
    answer = postgres.shell.run(
        "psql -w -h %s -U %s -d %s -c 'select 1' 2>&1", "postgres", settings.user, settings.database
    )
    assert answer.rc != 0
    assert "no password supplied" in answer.stdout


def test_redis_answers_ping_to_strangers_and_nothing_else(stack: DeployedStack) -> None:
    (redis,) = stack.of("redis")
    assert redis.shell.run("redis-cli ping").stdout.strip() == "PONG"
    commands = ("get x", "keys *", "config get dir", "flushall")
    answers = redis.shell.run("; ".join(f"redis-cli {command} 2>&1" for command in commands)).stdout
    assert [line.split()[0] for line in answers.split("\n") if line] == ["NOPERM"] * len(commands), answers


def test_data_is_on_volumes_of_the_stack(stack: DeployedStack) -> None:
    for component, path in {"postgres": "/var/lib/postgresql/data", "redis": "/data"}.items():
        (running,) = stack.of(component)
        mounted = {mount["Destination"]: mount["Name"] for mount in running.inspected["Mounts"]}
        assert mounted[path] == stack.outputs["volumes"][component]
