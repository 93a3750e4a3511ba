"""The default backend, end to end through the gateway."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from tests.harness.deployed_stack import DeployedStack

# It serves meanwhile: one that has just started may still be at its first connection to the cache.
SETTLED_SECONDS = 10


@pytest.fixture(scope="module")
def client(stack: DeployedStack) -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture(scope="module")
def token(stack: DeployedStack, client: requests.Session) -> str:
    user = stack.settings.backend.environment.get("DEMO_USER")
    if user is None:
        pytest.skip("this stack has no demo user")
    answer = client.post(
        f"{stack.outputs['url']}/api/auth/login",
        json={"username": user, "password": stack.secrets["backend:demo_password"]},
        timeout=10,
    )
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    document = answer.json()
    assert document["token_type"] == "Bearer"
    assert document["expires_in"] == 24 * 3600
    return str(document["access_token"])


def test_health_tells_that_the_secrets_are_validated(stack: DeployedStack, client: requests.Session) -> None:
    deadline = time.monotonic() + SETTLED_SECONDS
    while True:
        answer = client.get(f"{stack.outputs['url']}/api/health", timeout=5)
        if answer.json()["status"] != "degraded" or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert answer.status_code == 200
    assert answer.json()["status"] == "healthy", answer.json()
    assert answer.json()["services"]["secrets"] == "validated"


def test_start_up_validated_the_secrets(stack: DeployedStack) -> None:
    for backend in stack.of("backend"):
        assert b"Secrets validation completed successfully" in backend.container.logs()


def test_a_token_is_issued_and_verified(stack: DeployedStack, client: requests.Session) -> None:
    answer = client.post(f"{stack.outputs['url']}/api/auth/test-jwt", timeout=5)
    assert answer.status_code == 200
    assert "success" in answer.text
    assert "eyJ" not in answer.text


def test_a_wrong_password_is_refused(stack: DeployedStack, client: requests.Session) -> None:
    credentials = {"username": "demo", "password": "not-the-password"}
    answer = client.post(f"{stack.outputs['url']}/api/auth/login", json=credentials, timeout=10)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"].startswith("application/problem+json")


def test_a_read_needs_a_token(stack: DeployedStack, client: requests.Session) -> None:
    answer = client.get(f"{stack.outputs['url']}/api/users/me", timeout=5)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_second_read_comes_from_the_cache(
    stack: DeployedStack, client: requests.Session, token: str
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    answers = [
        client.get(f"{stack.outputs['url']}/api/users/me", headers=headers, timeout=5) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["X-Cache"] == "hit"
