import pytest
from conftest import DEMO_USER, Running
from problem_shape import assert_problem


async def test_the_second_read_comes_from_the_cache(running: Running) -> None:
    headers = await running.authorization()
    first = await running.client.get("/api/users/me", headers=headers)
    second = await running.client.get("/api/users/me", headers=headers)
    assert [first.headers["X-Cache"], second.headers["X-Cache"]] == ["miss", "hit"]
    assert first.json() == second.json()
    assert first.json().keys() == {"id", "username", "display_name"}
    assert first.json()["username"] == DEMO_USER
    assert "private" in second.headers["Cache-Control"]


async def test_a_change_shows_at_once(running: Running) -> None:
    headers = await running.authorization()
    await running.client.get("/api/users/me", headers=headers)
    changed = await running.client.patch(
        "/api/users/me", headers=headers, json={"display_name": " Déjà vu 🎬 "}
    )
    assert changed.status_code == 200
    assert changed.json()["display_name"] == "Déjà vu 🎬"
    read = await running.client.get("/api/users/me", headers=headers)
    assert read.headers["X-Cache"] == "hit"
    assert read.json() == changed.json()


async def test_without_redis_reads_and_changes_work(running: Running) -> None:
    headers = await running.authorization()
    await running.redis.cut()
    changed = await running.client.patch("/api/users/me", headers=headers, json={"display_name": "New"})
    assert changed.status_code == 200
    read = await running.client.get("/api/users/me", headers=headers)
    assert (read.headers["X-Cache"], read.json()["display_name"]) == ("bypass", "New")


async def test_a_cached_read_does_not_need_postgres(running: Running) -> None:
    headers = await running.authorization()
    await running.client.get("/api/users/me", headers=headers)
    await running.postgres.cut()
    read = await running.client.get("/api/users/me", headers=headers)
    assert (read.status_code, read.headers["X-Cache"]) == (200, "hit")


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\u0000b", "two\nlines", None, 7])
async def test_an_unusable_name_is_refused(running: Running, name: object) -> None:
    headers = await running.authorization()
    answer = await running.client.patch("/api/users/me", headers=headers, json={"display_name": name})
    document = assert_problem(answer, 422, "The request is not valid")
    assert [error["location"] for error in document["errors"]] == ["body.display_name"]


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_a_user_who_is_gone_has_no_profile(running: Running, method: str) -> None:
    headers = await running.authorization()
    async with running.backend.database.connection() as connection:
        await connection.execute("DELETE FROM users")
    body = {"display_name": "New"} if method == "PATCH" else None
    answer = await running.client.request(method, "/api/users/me", headers=headers, json=body)
    assert_problem(answer, 401, "Invalid token")


async def test_a_reader_may_ask_for_what_is_in_the_database(running: Running) -> None:
    headers = await running.authorization()
    await running.client.get("/api/users/me", headers=headers)
    async with running.backend.database.connection() as connection:
        await connection.execute("UPDATE users SET display_name = 'Changed elsewhere'")
    cached = await running.client.get("/api/users/me", headers=headers)
    fresh = await running.client.get("/api/users/me", headers=headers | {"Cache-Control": "no-cache"})
    assert (cached.headers["X-Cache"], fresh.headers["X-Cache"]) == ("hit", "bypass")
    assert cached.json()["display_name"] != fresh.json()["display_name"] == "Changed elsewhere"
