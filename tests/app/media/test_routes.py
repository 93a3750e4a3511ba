"""What a user of the API sees."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator

import pytest
from conftest import Running, StartBackend
from problem_shape import assert_problem

from media.samples import TYPES, decoded, gif_header, picture, png_header, webp_header
from media.uploads import (
    JPEG,
    another_user,
    expected_files,
    files,
    finished,
    in_pieces,
    jobs_done,
    processed,
    rows,
    upload,
)


@pytest.mark.parametrize("kind", TYPES)
async def test_an_uploaded_picture_gets_thumbnails(running: Running, kind: str) -> None:
    headers = await running.authorization()
    content = picture(kind, (1600, 800))
    answer = await upload(running, content, TYPES[kind])
    assert answer.status_code == 202
    accepted = answer.json()
    assert answer.headers["Location"] == f"/api/media/{accepted['id']}"
    assert (accepted["state"], accepted["thumbnails"], accepted["error"]) == ("queued", [], None)
    document = await finished(running, accepted["id"])
    assert document["state"] == "done"
    assert (document["width"], document["height"], document["bytes"]) == (1600, 800, len(content))
    assert document["format"] == document["metadata"]["format"] == kind.lower()
    assert [thumbnail["size"] for thumbnail in document["thumbnails"]] == [160, 480, 1280]
    for thumbnail in document["thumbnails"]:
        image = await running.client.get(thumbnail["url"], headers=headers)
        assert image.status_code == 200
        assert image.headers["Content-Type"] == "image/webp"
        assert image.headers["X-Content-Type-Options"] == "nosniff"
        assert image.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        drawn = decoded(image.content)
        assert (drawn.format, drawn.size) == ("WEBP", (thumbnail["size"], thumbnail["size"] // 2))
    assert files(running) == await expected_files(running)


async def test_a_thumbnail_that_is_known_is_not_sent_again(running: Running) -> None:
    headers = await running.authorization()
    document = await processed(running, picture())
    url = document["thumbnails"][0]["url"]
    etag = (await running.client.get(url, headers=headers)).headers["ETag"]
    assert etag == f'"{document["sha256"]}-160"'
    for known in (etag, f'"other", W/{etag}', "*"):
        again = await running.client.get(url, headers=headers | {"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
        assert "immutable" in again.headers["Cache-Control"]
    for other in ('"other"', etag[:-2] + '"'):
        changed = await running.client.get(url, headers=headers | {"If-None-Match": other})
        assert changed.status_code == 200


REFUSED = {
    "no picture": (b"%PDF-1.7 " * 9, "image/png", 415, "The content is not a picture of a known format"),
    "a text in place of a picture": (
        b"x",
        "image/gif",
        415,
        "The content is not a picture of a known format",
    ),
    "another type": (picture("PNG"), "image/jpeg", 415, "The content is image/png, not image/jpeg"),
    "a type that is not taken": (
        b"<svg/>",
        "image/svg+xml",
        415,
        "Content-Type must be one of image/gif, image/jpeg, image/png, image/webp",
    ),
    "nothing": (b"", "image/png", 422, "The body is empty: it must be a picture"),
    "no pixels": (gif_header(0, 9), "image/gif", 422, "The picture has no pixels"),
    "a header cut short": (picture()[:60], "image/jpeg", 422, "The picture is cut short"),
    "a damaged header": (
        png_header(9, 9, colour=5),
        "image/png",
        422,
        "The picture's header is damaged",
    ),
    "too many pixels": (
        png_header(50_000, 50_000),
        "image/png",
        422,
        "The picture has 2500000000 pixels: at most 100000000 are taken",
    ),
    "a decompression bomb": (
        webp_header(9_000, 9_000),
        "image/webp",
        422,
        "Decoding the picture would take 1326 MB of memory: at most 72 are there for it; make it smaller"
        " or, if it is progressive, WebP or PNG, a baseline JPEG",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_refused_leaves_nothing(running: Running, case: str) -> None:
    content, media_type, status, detail = REFUSED[case]
    answer = await upload(running, content, media_type)
    assert_problem(answer, status, detail)
    if status == 415:
        assert answer.headers["Accept"] == "image/gif, image/jpeg, image/png, image/webp"
    assert files(running) == set()
    assert await rows(running, "SELECT FROM pictures") == []


async def test_a_picture_larger_than_the_limit_is_refused(start_backend: StartBackend) -> None:
    async with start_backend(MEDIA_LARGEST_MB="1") as running:
        headers = await running.authorization() | JPEG
        content = picture() + b"\0" * 1024 * 1024
        detail = "The body is too large: at most 1048576 bytes"
        announced = await running.client.post("/api/media", headers=headers, content=content)
        assert_problem(announced, 413, detail)
        streamed = await running.client.post("/api/media", headers=headers, content=in_pieces(content))
        assert_problem(streamed, 413, detail)
        assert files(running) == set()
        # Other paths keep their own limit.
        login = await running.client.post("/api/auth/login", content=b" " * 65_537)
        assert_problem(login, 413, "The body is too large: at most 65536 bytes")


async def test_a_stream_of_the_wrong_type_is_not_read_to_its_end(running: Running) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10_000:
            sent += 1
            yield b"not a picture at all"

    headers = await running.authorization() | JPEG
    answer = await running.client.post("/api/media", headers=headers, content=endless())
    assert answer.status_code == 415
    assert sent < 10


async def test_a_damaged_picture_fails_and_says_so(running: Running) -> None:
    headers = await running.authorization()
    content = picture("PNG", (800, 800))
    document = await processed(running, content[: len(content) // 2], "image/png")
    assert document["state"] == "failed"
    assert document["error"] == {
        "name": "UnusablePicture",
        "message": "The picture is damaged or cut short",
    }
    url = f"/api/media/{document['id']}/thumbnails/160"
    assert_problem(await running.client.get(url, headers=headers), 404, "The picture could not be processed")
    assert files(running) == await expected_files(running)
    again = await upload(running, content[: len(content) // 2], "image/png")
    assert (again.status_code, again.json()["state"]) == (202, "queued")
    assert again.json()["id"] == document["id"]


async def test_the_same_picture_again_is_the_same_media(running: Running) -> None:
    document = await processed(running, picture())
    again = await upload(running, picture())
    assert (again.status_code, again.json()) == (200, document)
    assert "Location" not in again.headers
    assert await jobs_done(running) == 1


async def test_the_same_picture_of_another_user_is_processed_once(running: Running) -> None:
    first = await processed(running, picture())
    other = await another_user(running)
    second = await upload(running, picture(), headers=other)
    assert second.status_code == 202
    assert second.json()["id"] != first["id"]
    assert (await finished(running, second.json()["id"], other))["state"] == "done"
    assert await jobs_done(running) == 1
    assert len(await rows(running, "SELECT FROM pictures")) == 1


async def test_media_of_another_user_do_not_exist(running: Running) -> None:
    document = await processed(running, picture())
    other = await another_user(running)
    url = f"/api/media/{document['id']}"
    for method, path in (("GET", url), ("DELETE", url), ("GET", f"{url}/thumbnails/160")):
        answer = await running.client.request(method, path, headers=other)
        assert_problem(answer, 404, "None of the user's media has this id")
    listed = await running.client.get("/api/media", headers=other)
    assert listed.json() == {"items": [], "next": None}
    assert (await running.client.get(url, headers=await running.authorization())).status_code == 200


async def test_pages_hold_all_media_newest_first(running: Running) -> None:
    headers = await running.authorization()
    ids = [(await upload(running, picture(seed=seed), headers=headers)).json()["id"] for seed in range(7)]
    seen: list[str] = []
    query: dict[str, str] = {"limit": "3"}
    sizes = []
    while True:
        page = (await running.client.get("/api/media", headers=headers, params=query)).json()
        seen += [item["id"] for item in page["items"]]
        sizes.append(len(page["items"]))
        if page["next"] is None:
            break
        query["after"] = page["next"]
        # A new one on top moves nothing.
        await upload(running, picture(seed=100 + len(seen)), headers=headers)
    assert seen == ids[::-1]
    assert sizes == [3, 3, 1]
    everything = (await running.client.get("/api/media", headers=headers)).json()
    assert (len(everything["items"]), everything["next"]) == (9, None)


async def test_media_of_one_moment_are_all_listed(running: Running) -> None:
    headers = await running.authorization()
    for seed in range(3):
        await upload(running, picture(seed=seed), headers=headers)
    async with running.backend.database.connection() as connection:
        await connection.execute("UPDATE media SET created_at = '2026-01-02 03:04:05.678901+00'")
    seen = []
    after: dict[str, str] = {}
    for _ in range(3):
        page = (
            await running.client.get("/api/media", headers=headers, params={"limit": "1", **after})
        ).json()
        seen += [item["id"] for item in page["items"]]
        after = {"after": page["next"]}
    assert len(set(seen)) == 3
    assert page["next"] is None


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "after=yesterday", f"after={10**16}-{'0' * 32}"]
)
async def test_a_page_that_is_asked_for_wrongly(running: Running, query: str) -> None:
    answer = await running.client.get(f"/api/media?{query}", headers=await running.authorization())
    assert_problem(answer, 422, "The request is not valid")


@pytest.mark.parametrize("cursor", [f"{'0' * 16}-{'0' * 32}", f"{'9' * 16}-{'f' * 32}"])
async def test_every_cursor_of_the_right_form_is_a_position(running: Running, cursor: str) -> None:
    answer = await running.client.get(f"/api/media?after={cursor}", headers=await running.authorization())
    assert (answer.status_code, answer.json()["items"]) == (200, [])


async def test_deleted_media_take_their_files_along(running: Running) -> None:
    headers = await running.authorization()
    document = await processed(running, picture())
    url = f"/api/media/{document['id']}"
    deleted = await running.client.delete(url, headers=headers)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert_problem(
        await running.client.delete(url, headers=headers), 404, "None of the user's media has this id"
    )
    thumbnail = await running.client.get(document["thumbnails"][0]["url"], headers=headers)
    assert thumbnail.status_code == 404
    assert files(running) == set()
    assert await rows(running, "SELECT FROM pictures") == []


async def test_content_stays_as_long_as_somebody_has_it(running: Running) -> None:
    mine = await processed(running, picture())
    other = await another_user(running)
    theirs = await processed(running, picture(), headers=other)
    headers = await running.authorization()
    await running.client.delete(f"/api/media/{mine['id']}", headers=headers)
    image = await running.client.get(theirs["thumbnails"][2]["url"], headers=other)
    assert image.status_code == 200
    assert files(running) == await expected_files(running)
    await running.client.delete(f"/api/media/{theirs['id']}", headers=other)
    assert files(running) == set()


async def test_before_the_job_is_done_there_is_no_thumbnail(start_backend: StartBackend) -> None:
    async with start_backend() as running:
        running.backend.lifecycle.drain()  # which claims no job
        headers = await running.authorization()
        media_id = (await upload(running, picture())).json()["id"]
        answer = await running.client.get(f"/api/media/{media_id}/thumbnails/480", headers=headers)
        assert_problem(answer, 404, "The picture has not been processed yet")


async def test_a_full_queue_refuses_before_the_body_is_read(start_backend: StartBackend) -> None:
    read = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read = True
        yield picture(seed=9)

    async with start_backend(MEDIA_QUEUE_LIMIT="2") as running:
        running.backend.lifecycle.drain()
        for seed in range(2):
            assert (await upload(running, picture(seed=seed))).status_code == 202
        headers = await running.authorization() | JPEG
        answer = await running.client.post("/api/media", headers=headers, content=body())
        assert_problem(answer, 429, "Too many pictures are waiting to be processed")
        assert answer.headers["Retry-After"] == "5"
        assert not read


async def test_uploads_at_once_are_limited(running: Running) -> None:
    headers = await running.authorization() | JPEG
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(seed: int) -> AsyncIterator[bytes]:
        content = picture(seed=seed)
        yield content[:50]
        begun.set()
        await go.wait()
        yield content[50:]

    running.backend.library._uploads_at_once = 1
    first = asyncio.create_task(running.client.post("/api/media", headers=headers, content=slow(1)))
    await begun.wait()
    answer = await running.client.post("/api/media", headers=headers, content=slow(2))
    assert_problem(answer, 429, "Too many uploads at once")
    go.set()
    assert (await first).status_code == 202
    assert (await upload(running, picture(seed=3))).status_code == 202


async def test_an_upload_that_does_not_end_is_given_up(running: Running) -> None:
    running.backend.library._upload_seconds = 0.3

    async def never() -> AsyncIterator[bytes]:
        yield picture()[:50]
        await asyncio.Event().wait()

    headers = await running.authorization() | JPEG
    answer = await running.client.post("/api/media", headers=headers, content=never())
    assert_problem(answer, 408, "The upload takes too long")
    assert files(running) == set()


async def test_all_of_it_needs_a_token(running: Running) -> None:
    url = f"/api/media/{uuid.uuid4()}"
    for method, path in (
        ("POST", "/api/media"),
        ("GET", "/api/media"),
        ("GET", url),
        ("DELETE", url),
        ("GET", f"{url}/thumbnails/160"),
    ):
        assert_problem(await running.client.request(method, path), 401, "A bearer token is needed")


@pytest.mark.parametrize("path", ["/api/media/7", f"/api/media/{uuid.uuid4()}/thumbnails/161"])
async def test_wrong_ids_and_sizes_are_refused(running: Running, path: str) -> None:
    answer = await running.client.get(path, headers=await running.authorization())
    assert_problem(answer, 422, "The request is not valid")


async def test_a_user_who_is_gone_cannot_upload(running: Running) -> None:
    headers = await running.authorization()
    async with running.backend.database.connection() as connection:
        await connection.execute("DELETE FROM users")
    assert_problem(await upload(running, picture(), headers=headers), 401, "Invalid token")
    assert files(running) == set()
    assert await rows(running, "SELECT FROM pictures") == []


async def test_without_postgres_it_says_so(running: Running) -> None:
    headers = await running.authorization()
    await running.postgres.cut()
    assert_problem(await upload(running, picture(), headers=headers), 503, "The database is not available")
    listed = await running.client.get("/api/media", headers=headers)
    assert_problem(listed, 503, "The database is not available")
    assert files(running) == set()


async def test_errors_within_do_not_show(running: Running) -> None:
    document = await processed(running, picture())
    secret = secrets.token_hex()
    async with running.backend.database.connection() as connection:
        await connection.execute(
            "UPDATE pictures SET state = 'failed', error_name = 'OSError', error_message = %s", [secret]
        )
    headers = await running.authorization()
    shown = (await running.client.get(f"/api/media/{document['id']}", headers=headers)).json()
    assert shown["error"] == {"name": "OSError", "message": "The picture could not be processed"}
