from typing import Any

import httpx
import pytest
from conftest import Running, StartBackend
from medianest.passwords import PasswordsBusyError
from medianest.tokens import TokenService
from problem_shape import assert_problem


async def test_an_unknown_path(running: Running) -> None:
    assert_problem(await running.client.get("/nowhere"), 404, "Not Found")
    assert_problem(await running.client.get("/api/health/"), 404, "Not Found")


async def test_a_wrong_method(running: Running) -> None:
    answer = await running.client.get("/api/auth/login")
    assert_problem(answer, 405, "Method Not Allowed")
    assert answer.headers["Allow"] == "POST"
    both = await running.client.delete("/api/users/me")
    assert_problem(both, 405, "Method Not Allowed")
    assert both.headers["Allow"] == "GET, HEAD, PATCH"
    assert (await running.client.post("/api/health")).headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (b"{", [("body.1", "JSON decode error")]),
        (b"[]", None),
        (b"", [("body", "Field required")]),
        (b'{"username": "a"}', [("body.password", "Field required")]),
        (b'{"username": "a", "password": "b", "more": 1}', [("body.more", "Extra inputs are not permitted")]),
        (b'{"username": "a\\u0000", "password": "hunter2"}', None),
        (b'{"username": "a", "password": ["hunter2"]}', None),
    ],
)
async def test_an_invalid_body_is_described_and_never_repeated(
    running: Running, body: bytes, errors: list[tuple[str, str]] | None
) -> None:
    answer = await running.client.post(
        "/api/auth/login", content=body, headers={"Content-Type": "application/json"}
    )
    document = assert_problem(answer, 422, "The request is not valid")
    found = [(error["location"], error["message"]) for error in document["errors"]]
    assert found == errors if errors else found
    assert "hunter2" not in answer.text


async def test_a_body_that_is_not_text(running: Running) -> None:
    answer = await running.client.post(
        "/api/auth/login", content=b'"\xff"', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    assert_problem(answer, answer.status_code, answer.json()["detail"])


async def test_no_token(running: Running) -> None:
    answer = await running.client.get("/api/users/me")
    assert_problem(answer, 401, "A bearer token is needed")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="medianest"'


async def test_an_invalid_token(running: Running) -> None:
    answer = await running.client.get("/api/users/me", headers={"Authorization": "Bearer forged"})
    assert_problem(answer, 401, "Invalid token")
    assert 'error="invalid_token", error_description="Invalid token"' in answer.headers["WWW-Authenticate"]


async def test_a_database_that_does_not_answer(running: Running) -> None:
    await running.postgres.cut()
    credentials = {"username": "demo", "password": "anything"}
    answer = await running.client.post("/api/auth/login", json=credentials)
    assert_problem(answer, 503, "The database is not available")


async def test_too_many_logins(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_arguments: Any, **_options: Any) -> bool:
        raise PasswordsBusyError

    monkeypatch.setattr(running.backend.passwords, "verify", busy)
    credentials = {"username": "demo", "password": "anything"}
    answer = await running.client.post("/api/auth/login", json=credentials)
    assert_problem(answer, 503, "Too many logins at once")


async def test_a_token_service_without_a_key(running: Running) -> None:
    running.backend.tokens._keys.clear()
    answer = await running.client.post("/api/auth/test-jwt")
    assert_problem(answer, 503, "Token service is not initialised")


async def test_a_bug_is_logged_once_and_tells_strangers_nothing(
    start_backend: StartBackend, monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, Any]]
) -> None:
    def broken(_self: TokenService, _subject: str) -> None:
        raise RuntimeError("details that are nobody's business")

    monkeypatch.setattr(TokenService, "issue", broken)
    async with start_backend() as running:
        answer: httpx.Response = await running.client.post("/api/auth/test-jwt")
    detail = "Something went wrong; the log has it under the request's id"
    assert_problem(answer, 500, detail)
    assert "nobody" not in answer.text
    assert [event["event"] for event in logged if event["log_level"] == "error"] == ["Unexpected error"]
