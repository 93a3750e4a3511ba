"""Previews of a deployed stack: what they say of each kind of change, and what `up` makes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import requests

from tests.harness.checkout import STAGING, Checkout, Run, free_port, new_name, of_stack, swept
from tests.harness.previews import Deployed, at_terminal, secret_values, wait_until_ready

NO_CHANGE, FAILED, CHANGES, DANGEROUS, REFUSED = 0, 1, 2, 3, 3
GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org")


@pytest.fixture(scope="module")
def stack(engine: docker.DockerClient, checkout: Checkout) -> Iterator[Deployed]:
    name = new_name("preview")
    port = checkout.declare(name, {**STAGING, "medianest:data": {"protected": True}})
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "before"]):
        assert checkout.run(*GIT, *command).code == 0
    with swept(engine, name):
        checkout.expect("up", name, "--no-verify")
        yield Deployed(checkout, engine, name, port, secret_values(checkout, name))


def test_an_unchanged_stack_is_told_in_one_line_within_seconds(stack: Deployed) -> None:
    began = time.monotonic()
    run = stack.preview()
    print(f"unchanged, by fingerprints: {time.monotonic() - began:.1f} s")
    assert run.code == NO_CHANGE, run.said
    assert run.out.count("\n") == 1
    assert "no change" in run.out
    began = time.monotonic()
    asked = stack.document("--no-fast", code=NO_CHANGE)
    print(f"unchanged, by Pulumi and a refresh: {time.monotonic() - began:.1f} s")
    assert (asked["changes"], asked["drift"]) == ([], [])
    assert f"({asked['unchanged']} resources)" in run.out


def test_a_backend_setting_is_named_and_interrupts_nobody(stack: Deployed) -> None:
    with stack.settings(backend={"limits": {"memory_mb": 256}}):
        found = stack.changes("--no-refresh", code=CHANGES)
    assert {"backend-0", "backend-1"} <= found.keys()
    backend = found["backend-0"]
    assert backend["reasons"] == ["setting backend.limits.memory_mb: 512 → 256"]
    assert {"path": "memory", "old": "512", "new": "256"} in backend["differences"]
    assert backend["effect"]["interruption"] is None
    assert backend["effect"]["memory_mb"] == -256


def test_a_file_of_the_image_is_named_against_what_runs_and_against_a_base(stack: Deployed) -> None:
    with stack.file("app/medianest/__init__.py", "\n# changed\n"):
        against_release = stack.changes(code=CHANGES)["backend-image"]["reasons"]
        against_base = stack.changes("--base", "HEAD", "--no-refresh", code=CHANGES)["backend-image"][
            "reasons"
        ]
        unknown = stack.document("--base", "no-such-branch", "--no-refresh", code=CHANGES)
    (reason,) = against_release
    assert reason.startswith("files of the image: app/medianest/__init__.py (against ")
    assert against_base == ["files of the image: app/medianest/__init__.py (against HEAD)"]
    assert any("no-such-branch is not known" in note for note in unknown["notes"])


def test_a_postgres_setting_interrupts_what_needs_the_database(stack: Deployed) -> None:
    with stack.settings(postgres={"max_connections": 120}):
        postgres = stack.changes("--no-refresh", code=DANGEROUS)["postgres"]
    assert postgres["reasons"] == ["setting postgres.max_connections: 100 → 120"]
    assert postgres["effect"]["interruption"]["meets"] == "requests that need the database"
    assert postgres["effect"]["interruption"]["seconds"] == 180


def test_a_replica_more_costs_its_memory(stack: Deployed) -> None:
    with stack.settings(backend={"replicas": 3}):
        found = stack.changes("--no-refresh", code=CHANGES)
    assert found["backend-2"]["action"] == "create"
    assert found["backend-2"]["effect"]["memory_mb"] == 512
    assert found["backend-2"]["reasons"] == ["setting backend.replicas: 2 → 3"]


def test_a_secret_that_is_rotated_is_named_and_none_is_shown(stack: Deployed) -> None:
    with stack.settings(generations={"jwt_secret": 2, "postgres_password": 2}):
        plan = stack.document("--no-refresh", code=CHANGES)
        markdown = stack.preview("--format", "markdown", "--no-refresh")
    assert plan["danger"] == "secret"
    rotated = [change["effect"]["secrets"] for change in plan["changes"] if change["effect"]["secrets"]]
    assert sorted(rotated) == [["jwt_secret"], ["postgres_password"]]
    assert "another value of jwt\\_secret" in markdown.out


def test_a_secret_where_it_does_not_belong_is_masked(stack: Deployed) -> None:
    environment = {
        "GREETING": f"it is {stack.secrets['jwt_secret']}",
        "BROKER": f"amqp://user:{stack.secrets['demo_password']}@broker/",
    }
    with stack.settings(backend={"environment": environment}):
        for form in ("text", "markdown", "json"):
            run = stack.preview("--format", form, "--no-refresh")
            assert run.code == CHANGES, run.said
            assert "GREETING" in run.out
            assert "secret" in run.out


def test_protected_data_that_would_go_is_loud_and_refused(stack: Deployed) -> None:
    with stack.settings(backend={"volumes": []}):
        plan = stack.document("--no-refresh", code=DANGEROUS)
        up = stack.checkout.medianest("up", stack.name, "--no-verify", "--allow-interruption")
    assert plan["danger"] == "data_loss"
    assert plan["changes"][0]["name"] == "backend-media"
    assert plan["changes"][0]["effect"]["deletes_data"] == "everything in volume backend-media"
    assert any("backend-media is protected" in note for note in plan["notes"])
    assert up.code == REFUSED
    assert "volume media" in up.err
    assert "its data is protected" in up.err


def test_drift_stands_apart_from_what_the_change_does(stack: Deployed) -> None:
    gateway, backend = stack.container("gateway"), stack.container("backend")
    api = stack.engine.api
    try:
        api.update_container(gateway, mem_limit="100m", memswap_limit="100m")
        api.stop(backend, timeout=5)
        plan = stack.document(code=NO_CHANGE)
    finally:
        api.update_container(gateway, mem_limit="128m", memswap_limit="128m")
        api.start(backend)
    drift = {item["resource"]: item["what"] for item in plan["drift"]}
    assert drift == {
        f"container {gateway}": "changed by hand: memory: 128 → 100",
        f"container {backend}": "stopped",
    }
    wait_until_ready(stack)


def test_an_update_that_interrupts_is_refused_unless_it_is_allowed(stack: Deployed) -> None:
    before = sorted(of_stack(stack.engine, stack.name))
    with stack.settings(postgres={"max_connections": 110}):
        for arguments in ([], ["--yes", "--json"]):
            run = stack.checkout.medianest("up", stack.name, "--no-verify", *arguments)
            assert run.code == REFUSED, run.said
            assert "postgres: interrupts postgres for about" in run.err
            assert "--allow-interruption" in run.err
        answered = at_terminal(stack.checkout, "n\n", "up", stack.name, "--no-verify")
    assert answered.code == REFUSED, answered.said
    assert "Do it all the same?" in answered.said
    assert "nothing was touched" in answered.said
    assert sorted(of_stack(stack.engine, stack.name)) == before


def test_a_plan_is_carried_out_as_long_as_the_world_is_the_same(stack: Deployed, tmp_path: Path) -> None:
    kept, port = tmp_path / "kept.plan", free_port()
    path = stack.checkout.settings_file(stack.name)
    path.write_text(path.read_text().replace(f"port: {stack.port}", f"port: {port}"))
    run = stack.preview("--save", str(kept))
    assert run.code == DANGEROUS, run.said
    assert "interrupts gateway for about" in run.out
    assert kept.stat().st_mode & 0o777 == 0o600
    stack.holds_no_secret(kept.read_text())
    allowed = ("up", stack.name, "--no-verify", "--plan", str(kept), "--allow-interruption")

    unasked = stack.checkout.medianest(*allowed[:-1])
    assert unasked.code == REFUSED, unasked.said
    with stack.file("app/medianest/__init__.py", "\n# changed\n"):
        assert_refused(stack.checkout.medianest(*allowed), "files have changed: app/medianest/__init__.py")
    with stack.settings(backend={"replicas": 1}):
        assert_refused(stack.checkout.medianest(*allowed), "settings have changed: backend.replicas")
    backend = stack.container("backend")
    stack.engine.api.stop(backend, timeout=5)
    assert_refused(stack.checkout.medianest(*allowed), f"what runs has changed: {backend}")
    stack.engine.api.start(backend)
    wait_until_ready(stack)

    done = stack.checkout.medianest(*allowed)
    print("\n".join(line for line in done.err.splitlines() if "Requests" in line or "gateway" in line))
    assert done.code == 0, done.said
    assert "gateway: interrupts gateway for about" in done.err
    assert requests.get(f"http://localhost:{port}/api/health/ready", timeout=5).status_code == 200
    assert_refused(stack.checkout.medianest(*allowed), "the state was changed by another update")


def assert_refused(run: Run, why: str) -> None:
    assert run.code == REFUSED, run.said
    assert why in run.err


def test_what_changes_the_backend_alone_is_not_looked_at_before(stack: Deployed) -> None:
    with stack.settings(backend={"environment": {"GREETING": "hello"}}):
        run = stack.checkout.expect("up", stack.name, "--no-verify", "--json")
    assert "interrupts" not in run.err
    assert run.document()["phases"]["consent"] < 2
    assert run.document()["probe"]["failed"] == 0


def test_of_several_stacks_each_has_its_section_also_where_one_fails(stack: Deployed) -> None:
    bad, new = new_name("bad"), new_name("new")
    stack.checkout.declare(bad, {"medianest:backend": {"replica": 2}})
    stack.checkout.declare(new, STAGING)
    try:
        run = stack.checkout.medianest("preview", bad, stack.name, new, "--json")
    finally:
        stack.checkout.settings_file(bad).unlink()
        stack.checkout.settings_file(new).unlink()
    assert run.code == FAILED, run.said
    failed, good, made = run.document()["stacks"]
    assert "backend.replica is not known" in failed["problem"]
    assert not good["problem"]
    assert {change["action"] for change in made["changes"]} == {"create"}
    assert any("is new" in note for note in made["notes"])
    states = stack.checkout.state / "medianest/pulumi/.pulumi/stacks/medianest"
    assert not list(states.glob(f"{new}*"))


def test_another_states_stack_is_told_of(stack: Deployed, tmp_path: Path) -> None:
    run = Checkout(stack.checkout.root, tmp_path).medianest("preview", stack.name, "--json")
    assert run.code == CHANGES, run.said
    assert any("made by another state" in note for note in run.document()["stacks"][0]["notes"])


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PULUMI_CONFIG_PASSPHRASE": "hunter2"}, "passphrase"),
        ({"DOCKER_HOST": "unix:///nowhere/docker.sock"}, "/nowhere/docker.sock"),
    ],
)
def test_a_preview_that_fails_says_why_and_shows_no_secret(
    stack: Deployed, variables: dict[str, str], words: str
) -> None:
    run = stack.checkout.with_variables(**variables).medianest("preview", stack.name, "--no-fast")
    assert run.code == FAILED, run.said
    assert words in run.out
    assert "Traceback" not in run.said
    assert "hunter2" not in run.said
    stack.holds_no_secret(run.said)


def test_a_program_that_fails_is_told_without_the_secrets_that_it_shows(stack: Deployed) -> None:
    secret = stack.secrets["redis_password"]
    with stack.file("__main__.py", f"\nraise RuntimeError('the secret is {secret}')\n"):
        for form in ("text", "markdown", "json"):
            run = stack.preview("--format", form, "--no-refresh")
            assert run.code == FAILED
            assert "the secret is" in run.out


@pytest.mark.parametrize(
    "arguments", [["--format", "html"], ["--nonsense"], ["stagin"], ["--out", "/nowhere/at/all"]]
)
def test_wrong_usage_is_no_exit_code_of_a_change(stack: Deployed, arguments: list[str]) -> None:
    run = stack.checkout.medianest("preview", stack.name, "--no-refresh", *arguments)
    assert run.code == FAILED, run.said
