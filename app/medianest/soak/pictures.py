"""Small pictures to upload, each with a content of its own, and what becomes of them."""

from __future__ import annotations

import asyncio
import io
import os
import time

from PIL import Image

from medianest.soak.http_client import Answer
from medianest.soak.load import Tally
from medianest.soak.user import User

MEDIA = "/api/media"
ENDED = frozenset({"done", "failed"})
_LOOK_SECONDS = 0.2


def picture() -> bytes:
    """A PNG of 320 by 240 pixels and some 10 kB: the backend keeps equal contents only once."""
    coarse = Image.frombytes("RGB", (32, 24), os.urandom(32 * 24 * 3))
    written = io.BytesIO()
    coarse.resize((320, 240), Image.Resampling.NEAREST).save(written, "PNG")
    return written.getvalue()


class Uploads:
    """Uploads, waits for the jobs, and deletes what it has uploaded."""

    def __init__(self, user: User, *, job_seconds: float = 60.0) -> None:
        self._user = user
        self._job_seconds = job_seconds
        self.uploads, self.looks, self.deletions = Tally(), Tally(), Tally()

    async def offered(self) -> bool:
        """Whether this backend takes pictures. Raises NoAnswerError."""
        return (await self._user.request("GET", MEDIA)).status == 200

    async def upload(self) -> str | None:
        """The id of an accepted picture."""
        headers = {"Content-Type": "image/png"}
        request = self._user.request("POST", MEDIA, headers=headers, body=picture())
        answer = await self.uploads.count(request, 200, 201, 202)
        return None if answer is None else str(answer.document().get("id", ""))

    async def ended(self, identifier: str) -> Answer | None:
        """The answer once the job is done or has failed; None when that takes too long."""
        deadline = time.monotonic() + self._job_seconds
        while time.monotonic() < deadline:
            answer = await self.look(identifier)
            if answer is not None and answer.document().get("state") in ENDED:
                return answer
            await asyncio.sleep(_LOOK_SECONDS)
        return None

    async def look(self, identifier: str) -> Answer | None:
        return await self.looks.count(self._user.request("GET", f"{MEDIA}/{identifier}"), 200)

    async def delete(self, identifier: str) -> None:
        await self.deletions.count(self._user.request("DELETE", f"{MEDIA}/{identifier}"), 204)
