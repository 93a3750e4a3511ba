"""Every kind of drift is made real on one deployed stack, told right and alone, and mended under load."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from tests.harness.by_hand import made_anew, rewrite
from tests.harness.checkout import MINIMAL, STAGING, Checkout, Run, containers_of, new_name, swept
from tests.harness.inside import run
from tests.harness.load.load import steady_load
from tests.harness.load.plan import reads
from tests.harness.volume_files import File

PER_SECOND = 50
# Typed by a person into a variable, a file, a password: in no output.
TYPED = "typed-by-a-person-4711"
KEPT = "CREATE TABLE kept (what text); INSERT INTO kept VALUES ('still there')"


@dataclass(frozen=True)
class Drifting:
    """A stack with two replicas, and what was said of it."""

    checkout: Checkout
    engine: docker.DockerClient
    name: str
    url: str
    said: list[str]

    def one(self, component: str, number: int = 0) -> Container:
        found = containers_of(self.engine, self.name, component)
        return sorted(found, key=lambda container: str(container.name))[number]

    def network(self, name: str) -> str:
        (found,) = self.engine.networks.list(names=[f"medianest-{self.name}-{name}"])
        return str(found.name)

    def volume(self, name: str) -> str:
        (found,) = self.engine.volumes.list(filters={"name": f"medianest-{self.name}-{name}"})
        return str(found.name)

    def drift(self, *arguments: str) -> Run:
        ended = self.checkout.medianest("drift", self.name, "--json", *arguments)
        self.said.append(ended.said)
        return ended

    def found(self) -> set[tuple[str, str, str]]:
        """What is told: resource, property, how it is mended."""
        ended = self.drift()
        document = ended.document()
        assert ended.code == (2 if document["findings"] or document["pending"] else 0), ended.said
        assert document["notes"] == [], document["notes"]
        return {(item["resource"], item["property"], item["fix"]) for item in document["findings"]}

    def mend(self, *arguments: str) -> dict[str, Any]:
        """Mend it under a steady load, of which nothing fails."""
        with steady_load(self.url, reads("/api/health/live", PER_SECOND)) as load:
            ended = self.drift("--fix", *arguments)
        assert ended.code == 0, ended.said
        assert load.sent > 50
        assert load.failures == {}
        assert ended.document()["findings"] == []
        return ended.document()

    def run_in(self, component: str, *command: str) -> str:
        code, output = run(self.one(component), *command)
        assert code == 0, output
        return output

    def query(self, statement: str) -> str:
        return self.run_in("postgres", "psql", "-U", "medianest", "-Atc", statement)

    def tell_redis(self, line: str) -> str:
        with_password = 'redis-cli --no-auth-warning --user administrator -a "$(cat "$1")" $2'
        password = "/run/secrets/administrator_password"
        return self.run_in("redis", "sh", "-c", with_password, "sh", password, line)


@pytest.fixture(scope="module")
def stack(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drifting]:
    directory = tmp_path_factory.mktemp("checkout")
    checkout = Checkout.of_this_tree(directory / "medianest", directory / "state")
    name = new_name("drift")
    port = checkout.declare(name, STAGING)
    with swept(engine, name):
        checkout.expect("up", name, "--no-verify")
        drifting = Drifting(checkout, engine, name, f"http://127.0.0.1:{port}", [])
        drifting.query(KEPT)
        yield drifting


def test_a_fresh_stack_has_none(stack: Drifting) -> None:
    assert stack.found() == set()


def test_a_variable_a_file_and_accounts_are_told_and_mended(stack: Drifting) -> None:
    """What Pulumi's provider does not read back."""
    made_anew(stack.engine, stack.one("backend"), EXTRA_TOKEN=TYPED)
    gateway, backend = stack.one("gateway"), stack.one("backend", 1)
    loader = stack.one("backend-secrets")
    configuration = stack.one("gateway-configuration")
    rewrite(configuration, "/etc/haproxy/haproxy.cfg", File(TYPED, owner=99))
    rewrite(loader, "/run/secrets/demo_password", File(TYPED, owner=1001, mode=0o644))
    rewrite(loader, "/run/secrets/a_file_too_many", File(TYPED))
    stack.query(f"ALTER ROLE medianest_a PASSWORD '{TYPED}'")
    stack.tell_redis("ACL DELUSER backend_a")
    assert stack.found() == {
        ("backend-0", "id", "made anew"),
        ("backend-0", "environment.EXTRA_TOKEN", "made anew"),
        ("/etc/haproxy/haproxy.cfg", "content", "written again"),
        ("/run/secrets/demo_password", "content", "written again"),
        ("/run/secrets/demo_password", "mode", "written again"),
        ("/run/secrets/a_file_too_many", "existence", "replaced"),
        ("medianest_a", "password", "set up again"),
        ("backend_a", "existence", "set up again"),
    }
    report = stack.mend()
    assert report["verification"]["passed"] is True
    # Nothing that would interrupt was replaced, and backends have read the secret that is right.
    assert stack.one("gateway").id == gateway.id
    assert backend.id not in {stack.one("backend", number).id for number in (0, 1)}
    assert len(containers_of(stack.engine, stack.name, "backend")) == 2
    assert stack.found() == set()


def test_what_the_engine_can_change_is_changed_in_place(stack: Drifting) -> None:
    first, second, gateway, redis = (
        *(stack.one("backend", number) for number in (0, 1)),
        stack.one("gateway"),
        stack.one("redis"),
    )
    first.update(mem_limit="300m", memswap_limit="300m")
    gateway.update(restart_policy={"Name": "always"})
    stack.engine.networks.get(stack.network("data")).disconnect(redis)
    second.pause()
    told = stack.found()
    second.unpause()
    assert told == {
        ("backend-0", "memory", "changed in place"),
        ("backend-0", "memorySwap", "changed in place"),
        ("gateway", "restart", "changed in place"),
        ("redis", f"networks.{stack.network('data')}", "changed in place"),
        ("backend-1", "state", "changed in place"),
    }
    # `up` says of the network what it gets to see for nothing.
    said = stack.checkout.medianest("up", stack.name, "--no-verify").err
    assert f"is not on network {stack.network('data')}" in said
    assert f"./medianest drift {stack.name} --fix" in said
    stack.mend("--no-verify")
    assert redis.id == stack.one("redis").id
    assert gateway.id == stack.one("gateway").id
    assert stack.found() == set()


def test_what_is_stopped_or_gone_is_told_and_mended(stack: Drifting) -> None:
    stack.one("backend").stop(timeout=20)
    cache, volume = stack.one("redis"), stack.volume("redis-data")
    cache.remove(force=True)
    stack.engine.volumes.get(volume).remove()
    assert stack.found() == {
        ("backend-0", "state", "started again"),
        ("redis", "existence", "made anew"),
        ("redis-data", "existence", "made anew"),
    }
    stack.mend("--no-verify")
    assert stack.found() == set()


def test_what_interrupts_is_asked_for(stack: Drifting) -> None:
    postgres = stack.one("postgres")
    postgres.update(cpuset_cpus="0")
    refused = stack.drift("--fix", "--no-verify")
    assert refused.code == 3
    assert "nobody is there to ask" in refused.err
    assert "postgres" in refused.err
    assert stack.one("postgres").id == postgres.id
    # Without Postgres backends are not ready, and the gateway answers 503: that was allowed.
    mended = stack.drift("--fix", "--no-verify", "--allow-interruption")
    assert mended.code == 0, mended.said
    assert mended.document()["findings"] == []
    assert stack.one("postgres").id != postgres.id
    assert stack.found() == set()


def test_what_nobody_declared_is_told_and_left_alone(stack: Drifting) -> None:
    image = stack.one("gateway").attrs["Image"]
    foreign = stack.engine.containers.run(
        image,
        ["600"],
        entrypoint=["sleep"],
        detach=True,
        network=stack.network("data"),
        labels={"medianest.tests": stack.name},
    )
    try:
        assert stack.found() == {(str(foreign.name), "networks", "left alone")}
        mended = stack.drift("--fix", "--no-verify")
        assert mended.code == 2
        foreign.reload()
        assert foreign.status == "running"
    finally:
        foreign.remove(force=True)
    assert stack.found() == set()


def test_a_fix_deploys_nothing_that_only_the_tree_declares(stack: Drifting) -> None:
    backend = {**STAGING["medianest:backend"], "limits": {"memory_mb": 500}}
    port = int(stack.url.rsplit(":", 1)[1])
    before = stack.checkout.settings_file(stack.name).read_text()
    stack.checkout.declare(stack.name, {**STAGING, "medianest:backend": backend}, port)
    try:
        ended = stack.drift()
        assert ended.code == 2
        assert {item["resource"] for item in ended.document()["pending"]} >= {"backend-0", "backend-1"}
        assert ended.document()["findings"] == []
        stack.query(f"ALTER ROLE medianest_a PASSWORD '{TYPED}'")
        refused = stack.drift("--fix")
        assert refused.code == 3
        assert "not deployed" in refused.err
    finally:
        stack.checkout.settings_file(stack.name).write_text(before)
    stack.mend("--no-verify")


def test_what_cannot_be_looked_at_is_said(stack: Drifting) -> None:
    assert "Did you mean" in stack.checkout.medianest("drift", f"{stack.name}x").err
    settled = new_name("drift")
    stack.checkout.declare(settled, MINIMAL)
    run_before_up = stack.checkout.medianest("drift", settled)
    assert run_before_up.code == 1
    assert f"./medianest up {settled}" in run_before_up.err
    away = stack.checkout.with_variables(DOCKER_HOST="unix:///nowhere.sock").medianest("drift", stack.name)
    assert away.code == 3
    assert "no Docker engine answers" in away.err


def test_the_data_is_there_and_no_secret_was_said(stack: Drifting) -> None:
    assert stack.query("SELECT what FROM kept") == "still there"
    said = "\n".join(stack.said)
    assert len(stack.said) > 10
    assert TYPED not in said
    for secret in ("jwt_secret", "demo_password", "database_url", "redis_url"):
        value = stack.run_in("backend", "cat", f"/run/secrets/{secret}")
        password = value.split("@")[0].rsplit(":", 1)[-1]
        assert len(password) >= 16, secret
        assert password not in said, secret
