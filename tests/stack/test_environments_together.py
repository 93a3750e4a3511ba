"""Several environments at once, and those whose making or whose state was cut off."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress

import docker
import pytest
import requests
import yaml

from components import labels
from tests.harness.checkout import STAGING, Checkout, Run, containers_of, new_name, of_stack, swept
from tests.harness.environments import expire, lease_labels, names, together, traces
from tests.harness.inside import output_of, secret
from tests.harness.waiting import until

USAGE, REFUSED = 2, 3
UP_SECONDS, DOWN_SECONDS = 400, 200
MINUTES = 20 * 60


@pytest.fixture(scope="module")
def base(engine: docker.DockerClient, checkout: Checkout) -> Iterator[str]:
    """A long-lived stack with a user whom nobody else may see."""
    stack = new_name("base")
    checkout.declare(stack, STAGING)
    with swept(engine, stack):
        checkout.expect("up", stack, "--no-verify")
        (postgres,) = containers_of(engine, stack, "postgres")
        sql = (
            "INSERT INTO users (username, display_name, password_hash) VALUES "
            "('jane.doe@example.org', 'Jane Doe', 'the-hash-of-jane')"
        )
        output_of(postgres, "psql", "-U", "medianest", "-qc", sql)
        yield stack


@pytest.fixture(scope="module")
def three(engine: docker.DockerClient, checkout: Checkout, base: str) -> Iterator[list[str]]:
    """Three environments, made at the same time."""
    with names(engine, "three", 3) as made:
        arguments = ("--from", base, "--data", "none", "--no-verify")
        runs = together(checkout, [["env", "up", name, *arguments] for name in made], UP_SECONDS)
        assert [run.code for run in runs] == [0, 0, 0], [run.said for run in runs]
        yield made


def test_each_has_a_port_and_secrets_of_its_own(engine: docker.DockerClient, three: list[str]) -> None:
    assert_apart(engine, three)


def assert_apart(engine: docker.DockerClient, made: Sequence[str]) -> None:
    ports = {lease_labels(engine, name)[labels.PORT] for name in made}
    assert len(ports) == len(made)
    for port in ports:
        assert requests.get(f"http://localhost:{port}/api/health/ready", timeout=10).status_code == 200
    backends = [containers_of(engine, name, "backend")[0] for name in made]
    assert len({secret(backend, "jwt_secret") for backend in backends}) == len(made)


def test_a_copy_of_a_database_shows_nobody(
    checkout: Checkout, engine: docker.DockerClient, base: str, three: list[str]
) -> None:
    copied = checkout.expect("env", "up", three[0], "--data", f"copy:{base}", "--json").document()["data"]
    assert copied["source"] == base
    (postgres,) = containers_of(engine, three[0], "postgres")
    dumped = output_of(postgres, "pg_dump", "-U", "medianest", "medianest")
    assert "User 2" in dumped
    for word in ("jane", "Jane", "Doe", "the-hash-of-jane"):
        assert word not in dumped
    shown = output_of(postgres, "psql", "-U", "medianest", "-Atc", "SELECT datname FROM pg_database")
    assert "medianest_restore" not in shown
    # The demo user is provided again, with the environment's own password.
    (backend,) = containers_of(engine, three[0], "backend")
    login = {"username": "demo", "password": secret(backend, "demo_password")}
    port = lease_labels(engine, three[0])[labels.PORT]
    assert requests.post(f"http://localhost:{port}/api/auth/login", json=login, timeout=10).ok


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "name no script"),
        ("app/none.sql", "cannot be read"),
        ("broken.sql", "the script failed"),
    ],
)
def test_without_a_script_that_works_there_is_no_copy(
    checkout: Checkout,
    engine: docker.DockerClient,
    base: str,
    three: list[str],
    script: str | None,
    words: str,
) -> None:
    (checkout.root / "broken.sql").write_text("TRUNCATE users CASCADE;\nSELECT of_what_is_not_there();\n")
    file = checkout.settings_file(base)
    before = file.read_text()
    document = yaml.safe_load(before)
    document["config"]["medianest:environments"] = {"sanitise": script} if script else {}
    file.write_text(yaml.safe_dump(document))
    (postgres,) = containers_of(engine, three[1], "postgres")
    users = ("psql", "-U", "medianest", "-Atc", "SELECT username FROM users")
    try:
        run = checkout.medianest(
            "env", "up", three[1], "--from", base, "--data", f"copy:{base}", "--no-verify"
        )
    finally:
        file.write_text(before)
    assert run.code != 0
    assert words in run.err
    assert output_of(postgres, *users) == "demo"
    databases = output_of(postgres, "psql", "-U", "medianest", "-Atc", "SELECT datname FROM pg_database")
    assert "medianest_restore" not in databases


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("up", "../staging"), USAGE, "stack name"),
        (("up", "a/b"), USAGE, "stack name"),
        (("up", "Ünïcode"), USAGE, "stack name"),
        (("up", "x" * 41), USAGE, "stack name"),
        (("up", "staging"), REFUSED, "a stack of its own"),
        (("up", "BASE"), REFUSED, "a stack of its own"),
        (("down", "BASE"), REFUSED, "a stack of its own"),
        (("extend", "BASE"), REFUSED, "a stack of its own"),
        (("up", "new-one", "--ttl", "yesterday"), USAGE, "no duration"),
        (("up", "new-one", "--ttl", "-1h"), USAGE, "no duration"),
        (("up", "new-one", "--ttl", "0h"), USAGE, "over before it began"),
        (("up", "new-one", "--ttl", "31d"), USAGE, "too long"),
        (("up", "new-one", "--from", "nothing"), USAGE, "not known"),
        (("up", "new-one", "--from", "THREE"), USAGE, "an environment itself"),
        (("up", "new-one", "--data", "everything"), USAGE, "not known"),
        (("up", "new-one", "--data", "copy:staging"), REFUSED, "not deployed"),
        (("up", "new-one", "--pr", "0"), USAGE, ""),
        (("extend", "new-one"), USAGE, "there is no environment"),
        (("reap", "--idle", "often"), USAGE, "no duration"),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(
    checkout: Checkout,
    engine: docker.DockerClient,
    base: str,
    three: list[str],
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    given = [{"BASE": base, "THREE": three[0]}.get(word, word) for word in arguments]
    before = set(of_stack(engine, base))
    run = checkout.medianest("env", *given)
    assert (run.code, words in run.err) == (code, True), run.said
    assert "Traceback" not in run.said
    assert traces(checkout, engine, "new-one") == []
    assert set(of_stack(engine, base)) == before


def test_what_lost_its_state_is_removed_by_its_labels(
    checkout: Checkout, engine: docker.DockerClient, base: str, three: list[str]
) -> None:
    name = three[1]
    expire(checkout, name)
    (state,) = (checkout.state / "medianest" / "pulumi").rglob(f"stacks/*/{name}.json")
    for path in state.parent.glob(f"{name}.json*"):
        path.unlink()
    checkout.settings_file(name).unlink()
    listed = checkout.expect("env", "list", "--json").document()["environments"]
    assert [row["state"] for row in listed if row["name"] == name] == ["leaking"]
    refused = checkout.medianest("env", "up", name)
    assert "is lost" in refused.err
    assert "env down" in refused.err
    before = set(of_stack(engine, base))
    deeds = checkout.expect("env", "reap", "--json").document()["environments"]
    assert {deed["environment"]: deed["done"] for deed in deeds}[name] is True
    assert traces(checkout, engine, name) == []
    assert set(of_stack(engine, base)) == before
    assert of_stack(engine, three[0])


def test_a_stack_of_which_nothing_is_left_is_told(
    checkout: Checkout, engine: docker.DockerClient, three: list[str]
) -> None:
    name = three[2]
    wanted: dict[str, str | list[str] | bool] = {"label": f"{labels.STACK}={name}"}
    with swept(engine, name):
        assert engine.volumes.list(filters=wanted)
    leaks = checkout.expect("env", "reap", "--json").document()["leaks"]
    assert [leak["stack"] for leak in leaks] == [name]
    assert "nothing of it is on this engine" in leaks[0]["what"]
    checkout.expect("env", "down", name)
    assert traces(checkout, engine, name) == []


def test_a_making_that_was_killed_is_cleared(
    checkout: Checkout, engine: docker.DockerClient, base: str
) -> None:
    name = new_name("cut")
    with swept(engine, name):
        process = checkout.start("./medianest", "env", "up", name, "--from", base, "--no-verify")
        until(lambda: containers_of(engine, name, "postgres"), "it begins", 120)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        runs: list[Run] = []

        def not_refused() -> bool:
            runs.append(checkout.medianest("env", "down", name))
            return runs[-1].code != REFUSED

        # Pulumi, which it started, ends with it.
        until(not_refused, "what was left alone ends", 60, pause=1)
        assert runs[-1].code == 0, runs[-1].said
        assert traces(checkout, engine, name) == []


def test_the_last_one_goes_by_its_name(
    checkout: Checkout, engine: docker.DockerClient, base: str, three: list[str]
) -> None:
    before = set(of_stack(engine, base))
    checkout.expect("env", "down", three[0], "--json")
    assert traces(checkout, engine, three[0]) == []
    assert set(of_stack(engine, base)) == before


@pytest.mark.slow
def test_ten_come_and_go_at_once(checkout: Checkout, engine: docker.DockerClient, base: str) -> None:
    with names(engine, "ten", 10) as made:
        commands = [["env", "up", name, "--from", base, "--no-verify"] for name in made]
        runs = together(checkout, commands, MINUTES)
        assert [run.code for run in runs] == [0] * 10, [run.said for run in runs if run.code]
        assert_apart(engine, made)
        runs = together(checkout, [["env", "down", name] for name in made], MINUTES)
        assert [run.code for run in runs] == [0] * 10, [run.said for run in runs if run.code]
        assert [trace for name in made for trace in traces(checkout, engine, name)] == []
    with suppress(FileNotFoundError):
        assert list((checkout.state / "medianest" / "environments" / "medianest").iterdir()) == []
