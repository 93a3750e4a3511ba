"""Every secret gets a new value under load: no request fails, nobody is logged out, no service restarts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import docker
import pytest
import requests

from tests.harness.checkout import STAGING, Checkout, containers_of, new_name, swept
from tests.harness.inside import output_of, secret
from tests.harness.leaks import parts
from tests.harness.load.account import Account, demo_account
from tests.harness.waiting import until

BACKEND = STAGING["medianest:backend"]
NAMES = ["jwt_secret", "postgres_password", "redis_password"]


@dataclass(frozen=True)
class Deployed:
    """A stack with two replicas."""

    checkout: Checkout
    engine: docker.DockerClient
    name: str
    url: str

    def ids(self, component: str) -> set[str | None]:
        return {container.id for container in containers_of(self.engine, self.name, component)}

    def user(self) -> Account:
        return demo_account(self.engine, self.name, self.url)

    def roles_that_log_in(self) -> list[str]:
        (postgres,) = containers_of(self.engine, self.name, "postgres")
        query = "SELECT rolname FROM pg_authid WHERE rolcanlogin AND rolpassword IS NOT NULL ORDER BY 1"
        return output_of(postgres, "psql", "-U", "medianest", "-Atc", query).split()


@pytest.fixture(scope="module")
def stack(engine: docker.DockerClient, checkout: Checkout) -> Iterator[Deployed]:
    name = new_name("rotation")
    # The backend's own checks read the profile that the load writes to.
    port = checkout.declare(name, {**STAGING, "medianest:verification": {"paths": []}})
    with swept(engine, name):
        checkout.expect("up", name, "--no-verify")
        yield Deployed(checkout, engine, name, f"http://127.0.0.1:{port}")


def test_the_list_tells_names_and_ages_and_no_value(stack: Deployed) -> None:
    listed = stack.checkout.expect("secrets", "list", stack.name, "--json")
    names = {secret["name"] for secret in listed.document()["secrets"]}
    assert set(NAMES) | {"demo_password"} <= names
    (backend, *_) = containers_of(stack.engine, stack.name, "backend")
    values = [secret(backend, one) for one in ("jwt_secret", "demo_password", "database_url", "redis_url")]
    assert not any(part in listed.said for value in values for part in parts(value))


def test_a_rotation_drops_no_request_and_logs_nobody_out(stack: Deployed) -> None:
    services = stack.ids("postgres") | stack.ids("redis")
    backends = stack.ids("backend")
    # One token before, meanwhile and afterwards.
    with stack.user().losing_nothing("a rotation of every secret"):
        time.sleep(1)
        report = stack.checkout.expect("secrets", "rotate", stack.name, *NAMES, "--json")
        time.sleep(1)
    assert report.document()["probe"]["failed"] == 0
    assert stack.ids("postgres") | stack.ids("redis") == services
    assert not stack.ids("backend") & backends
    assert stack.roles_that_log_in() == ["medianest_b"]
    assert "is retired" in report.err


def test_nothing_is_left_to_do_after_it(stack: Deployed) -> None:
    report = stack.checkout.expect("up", stack.name, "--no-fast", "--json", "--no-verify").document()
    assert {kind for kind, count in report["changes"].items() if count} == {"same"}


def test_cut_off_it_is_carried_on_with_and_makes_no_third_value(stack: Deployed) -> None:
    user = stack.user()
    process = stack.checkout.start("./medianest", "secrets", "rotate", stack.name, *NAMES, "--yes")
    # Behind the new values, before the backends have them.
    until(lambda: stack.roles_that_log_in() == ["medianest_a", "medianest_b"], "both accounts log in", 60)
    process.terminate()
    process.communicate(timeout=120)
    again = stack.checkout.expect("secrets", "rotate", stack.name, *NAMES, "--yes", "--json")
    assert again.document()["release"]
    assert stack.roles_that_log_in() == ["medianest_a"]
    assert requests.get(f"{stack.url}/api/users/me", headers=user.headers, timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [(["jwt_secrets"], 2, "Did you mean jwt_secret?"), (["jwt_secret"], 3, "jwt_secret was rotated")],
)
def test_what_makes_no_sense_is_refused(
    stack: Deployed, arguments: list[str], code: int, message: str
) -> None:
    run = stack.checkout.medianest("secrets", "rotate", stack.name, *arguments)
    assert run.code == code
    assert message in run.err
