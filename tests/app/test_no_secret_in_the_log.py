"""Secrets and tokens in every place that a request has, on every route: none may get into the log."""

from __future__ import annotations

import json
import secrets
import signal
from urllib.parse import quote, urlsplit

import httpx
import pytest
from process import Process, Start

PATHS = ("/metrics", "/api/openapi.json", "/nowhere", "/")
METHODS = ("get", "post", "patch", "delete", "head")


@pytest.fixture
def process(start: Start, direct: dict[str, str]) -> Process:
    process = start(direct)
    process.wait_for("/api/health/ready", 200)
    return process


def test_no_secret_and_no_token_is_in_the_log(process: Process, direct: dict[str, str]) -> None:
    database_password = urlsplit(direct["DATABASE_URL"]).password
    assert database_password is not None
    known = [direct["JWT_SECRET"], direct["DEMO_PASSWORD"], direct["DATABASE_URL"], database_password]
    unknown = "Pw-" + secrets.token_urlsafe(24)
    base = f"http://127.0.0.1:{process.port}"
    with httpx.Client(base_url=base, timeout=10) as client:
        credentials = {"username": "demo", "password": direct["DEMO_PASSWORD"]}
        token = client.post("/api/auth/login", json=credentials).json()["access_token"]
        described = client.get("/api/openapi.json").json()["paths"]
        routes = [(method, path) for path, item in described.items() for method in item]
        routes += [(method, path) for method in METHODS for path in PATHS]
        for method, path in routes:
            for secret in (*known, token, unknown):
                attack(client, method, path, secret)
                if secret != unknown:  # whoever makes ids of passwords cannot be helped
                    client.request(method, path, headers={"X-Request-ID": secret})
    process.signal(signal.SIGTERM)
    assert process.exit_code() == 0
    output = "".join(process.output)
    assert output.count('"message":"Request"') > len(routes) * 20
    for secret in (*known, token, unknown):
        for written in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1]):
            # Not the secret in the assertion: it would be shown.
            found = written in output
            assert not found
    signature = token.rsplit(".", 1)[1]
    assert (signature in output) is False
    assert all(json.loads(line) for line in process.output)


def attack(client: httpx.Client, method: str, path: str, secret: str) -> None:
    """The secret in the query, in headers, in the body and in the path."""
    client.request(method, path, params={"token": secret, secret: "1"})
    for name in ("Authorization", "Cookie", "User-Agent", "Referer", "X-Forwarded-For", "Origin"):
        client.request(method, path, headers={name: secret})
    client.request(method, path, headers={"Authorization": f"Bearer {secret}"})
    for body in ({"username": secret, "password": secret}, {"display_name": [secret]}, secret, {secret: 1}):
        client.request(method, path, json=body)
    client.request(method, path, content=f'{{"password": "{secret}', headers={"Content-Type": "text/plain"})
    client.request(method, f"{path.rstrip('/')}/{quote(secret, safe='')}")
    client.request(method, f"/{quote(secret, safe='/')}{path}")
