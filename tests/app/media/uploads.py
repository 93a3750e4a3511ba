"""What the tests of media do again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from conftest import Running
from eventually import eventually

JPEG = {"Content-Type": "image/jpeg"}
PATIENCE = 20.0


async def upload(
    running: Running, content: bytes, media_type: str = "image/jpeg", headers: dict[str, str] | None = None
) -> httpx.Response:
    """As the demo user, or whom `headers` name."""
    who = headers if headers is not None else await running.authorization()
    return await running.client.post(
        "/api/media", content=content, headers=who | {"Content-Type": media_type}
    )


async def finished(running: Running, media_id: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """The document of a media whose job is through."""
    who = headers if headers is not None else await running.authorization()
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await running.client.get(f"/api/media/{media_id}", headers=who)
            assert answer.status_code == 200, answer.text
            document: dict[str, Any] = answer.json()
            if document["state"] in ("done", "failed"):
                return document
            await asyncio.sleep(0.02)


async def processed(
    running: Running, content: bytes, media_type: str = "image/jpeg", headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """Upload a picture and wait for the end of its job."""
    answer = await upload(running, content, media_type, headers)
    assert answer.status_code in (200, 202), answer.text
    return await finished(running, answer.json()["id"], headers)


async def jobs_done(running: Running) -> int:
    """How many were, counted a moment after their pictures show it."""
    jobs = running.backend.library.jobs
    await eventually(lambda: jobs.running == 0, PATIENCE)
    return jobs.counts.done


async def another_user(running: Running, name: str = "other") -> dict[str, str]:
    """The authorization of a user who is made now."""
    await running.backend.users.provide(name, "a password of this user", running.backend.passwords)
    credentials = {"username": name, "password": "a password of this user"}
    answer = await running.client.post("/api/auth/login", json=credentials)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def rows(running: Running, query: str) -> list[tuple[Any, ...]]:
    async with running.backend.database.connection() as connection:
        return await (await connection.execute(query.encode())).fetchall()


def files(running: Running) -> set[str]:
    """Everything in the volume."""
    root = running.backend.settings.media_directory
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


async def expected_files(running: Running) -> set[str]:
    """Everything that should be in the volume, by the rows."""
    names: set[str] = set()
    for sha256, state in await rows(running, "SELECT sha256, state FROM pictures"):
        kinds = ["original", *(["160.webp", "480.webp", "1280.webp"] if state == "done" else [])]
        names |= {str(Path("pictures", sha256[:2], sha256, kind)) for kind in kinds}
    return names


async def in_pieces(content: bytes, pieces: int = 10) -> AsyncIterator[bytes]:
    step = max(1, len(content) // pieces)
    for start in range(0, len(content), step):
        yield content[start : start + step]
        await asyncio.sleep(0)
