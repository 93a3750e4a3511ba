import statistics
import time

import jwt
import pytest
from conftest import DEMO_USER, Running, StartBackend
from forgeries import FORGERIES, GOOD, SECRET
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


async def test_a_forged_token_gets_401_at_once_from_the_whole_application(
    start_backend: StartBackend,
) -> None:
    async with start_backend(JWT_SECRET=SECRET) as running:
        for name, token in FORGERIES.items():
            seconds = []
            for _ in range(3):
                # Bytes, since not all of them are text.
                header = f"Bearer {token}".encode("utf-8", "surrogatepass")
                started = time.perf_counter()
                answer = await running.client.get("/api/users/me", headers=[(b"Authorization", header)])
                seconds.append(time.perf_counter() - started)
                assert answer.status_code == 401, name
                assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="medianest"'), name
                assert answer.headers["Content-Type"] == "application/problem+json", name
                if token.strip():
                    assert answer.json()["detail"] == "Invalid token", name
                    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"], name
            # The best of three: the machine may be busy with something else.
            assert min(seconds) < 0.05, name
        # What the forgeries vary is a good token, of somebody who is no user.
        answer = await running.client.post("/api/auth/logout", headers={"Authorization": f"Bearer {GOOD}"})
        assert answer.status_code == 204


async def test_a_login_takes_as_long_whether_or_not_there_is_such_a_user(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await running.backend.users.provide("disabled", "correct horse battery", running.backend.passwords)
    await running.backend.users.disable("disabled")
    # Of all threads of this process, which a busy machine does not lengthen as it does time by the clock;
    # what is waited for is one query and the same commands in every case.
    seconds: dict[str, list[float]] = {DEMO_USER: [], "nobody": [], "disabled": []}
    # From ever new addresses, and with room for more attempts than the limit of an account.
    monkeypatch.setattr(running.backend.login_limits, "_account", 1000)
    for number in range(20):
        # In turns, and each first in its turn, so that whatever else happens slows all of them.
        for username in [*seconds][number % 3 :] + [*seconds][: number % 3]:
            started = time.process_time()
            answer = await running.client.post(
                "/api/auth/login",
                json={"username": username, "password": "correct horse battery"},
                headers={"X-Forwarded-For": f"192.0.2.{number}"},
            )
            seconds[username].append(time.process_time() - started)
            assert_problem(answer, 401, "Wrong username or password")
    medians = {username: statistics.median(taken) for username, taken in seconds.items()}
    for username in ("nobody", "disabled"):
        assert medians[username] == pytest.approx(medians[DEMO_USER], rel=0.2), medians


async def test_every_answer_of_these_routes_is_documented(running: Running) -> None:
    document = (await running.client.get("/api/openapi.json")).json()
    expected = {
        "/api/auth/login": {"200", "400", "401", "413", "422", "429", "500", "503"},
        "/api/auth/logout": {"204", "401", "500", "503"},
        "/api/auth/test-jwt": {"200", "500", "503"},
    }
    for path, statuses in expected.items():
        operation = document["paths"][path]["post"]
        assert operation["responses"].keys() == statuses
        for status in statuses - {"200", "204"}:
            assert operation["responses"][status]["content"].keys() == {"application/problem+json"}
            retry = "Retry-After" in operation["responses"][status].get("headers", {})
            assert retry == (status in ("429", "503"))
        assert ("security" in operation) == (path == "/api/auth/logout")
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
