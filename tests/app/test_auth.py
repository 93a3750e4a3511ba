import jwt
import pytest
from conftest import DEMO_USER, Running
from problem_shape import assert_problem


async def test_a_login_returns_a_bearer_token_for_24_hours(running: Running) -> None:
    credentials = {"username": DEMO_USER, "password": running.demo_password}
    answer = await running.client.post("/api/auth/login", json=credentials)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    document = answer.json()
    assert document.keys() == {"access_token", "token_type", "expires_in"}
    assert (document["token_type"], document["expires_in"]) == ("Bearer", 86400)
    assert running.backend.tokens.verify(document["access_token"]).subject


async def test_half_a_character_is_a_wrong_password(running: Running) -> None:
    answer = await running.client.post(
        "/api/auth/login",
        content=b'{"username": "demo", "password": "\\ud800"}',
        headers={"Content-Type": "application/json"},
    )
    assert_problem(answer, 401, "Wrong username or password")


@pytest.mark.parametrize("username", [DEMO_USER, "nobody"])
async def test_unknown_users_and_wrong_passwords_get_the_same_answer(running: Running, username: str) -> None:
    credentials = {"username": username, "password": "not the password"}
    answer = await running.client.post("/api/auth/login", json=credentials)
    document = assert_problem(answer, 401, "Wrong username or password")
    assert answer.headers["Cache-Control"] == "no-store"
    assert username not in str(document)


async def test_test_jwt_says_success_and_keeps_the_token(running: Running) -> None:
    answer = await running.client.post("/api/auth/test-jwt")
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "issuer": "medianest",
        "audience": "medianest-users",
        "expires_in": 86400,
    }
    assert "eyJ" not in answer.text + str(answer.headers)


async def test_a_token_of_something_that_is_no_user_opens_nothing(running: Running) -> None:
    for subject in ("test-jwt", "00000000-0000-0000-0000-000000000000"):
        token = running.backend.tokens.issue(subject).value
        answer = await running.client.get("/api/users/me", headers={"Authorization": f"Bearer {token}"})
        assert_problem(answer, 401, "Invalid token")


async def test_an_expired_token_is_told_so(running: Running, environment: dict[str, str]) -> None:
    token = await running.token()
    claims = jwt.decode(token, options={"verify_signature": False})
    header = jwt.get_unverified_header(token)
    old = jwt.encode(claims | {"exp": claims["iat"] - 60}, environment["JWT_SECRET"], "HS256", header)
    answer = await running.client.get("/api/users/me", headers={"Authorization": f"Bearer {old}"})
    assert_problem(answer, 401, "Token expired")
    assert 'error_description="Token expired"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("header", ["Basic ZGVtbzpkZW1v", "Bearer", "Token abc", ""])
async def test_anything_but_a_bearer_token_is_no_token(running: Running, header: str) -> None:
    answer = await running.client.get("/api/users/me", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
