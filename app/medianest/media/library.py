"""Pictures taken in, given out and forgotten: rows and files together."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

import structlog
from starlette.exceptions import HTTPException

from medianest.database import Database, DatabaseUnavailableError
from medianest.media.claims import Claims
from medianest.media.headers import SIGNATURE_BYTES, Format, Header, HeaderError, format_of
from medianest.media.incoming import Incoming
from medianest.media.jobs import Jobs, JobTimes
from medianest.media.limits import Limits, problem_with
from medianest.media.pictures import Accepted, Pictures
from medianest.media.store import Store
from medianest.media.threads import VolumeError, to_the_end
from medianest.workers.pool import WorkerPool

_TIDY_SECONDS = 3600.0
# What a full queue needs to get shorter.
_RETRY_SECONDS = "5"
# RFC 9110, section 15.5.16: what would have been taken.
ACCEPT = {"Accept": ", ".join(kind.media_type for kind in Format)}


class Library:
    """`queue_limit` is how many jobs may wait, `uploads_at_once` how many uploads one process receives,
    `upload_seconds` how long one may take."""

    def __init__(
        self,
        database: Database,
        pool: WorkerPool,
        directory: Path,
        limits: Limits,
        *,
        queue_limit: int,
        accepting: Callable[[], bool],
        times: JobTimes | None = None,
        uploads_at_once: int = 32,
        upload_seconds: float = 300.0,
    ) -> None:
        times = times or JobTimes()
        # Replicas and restarts must not be taken for each other.
        holder = f"{socket.gethostname()}-{secrets.token_hex(8)}"
        self.store = Store(directory)
        self.pictures = Pictures(database)
        self._claims = Claims(database, holder, times.lease)
        self.jobs = Jobs(self._claims, pool, self.store, times, accepting=accepting, ended=self._remove_waste)
        self._limits = limits
        self._queue_limit = queue_limit
        self._uploads_at_once = uploads_at_once
        self._upload_seconds = upload_seconds
        self._uploads = 0
        self._tidying: asyncio.Task[None] | None = None
        self._log = structlog.get_logger(component="media")

    async def open(self) -> None:
        """Raises VolumeError when the volume cannot be written."""
        await self.store.open()

    def start(self) -> None:
        """Begin to work on jobs."""
        self.jobs.start()
        self._tidying = asyncio.create_task(self._tidy_now_and_then())

    async def stop(self, finish_seconds: float) -> None:
        """Let running jobs finish so long, and hand the rest back."""
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
        await self.jobs.stop(finish_seconds)
        self.store.close()

    async def upload(self, owner: UUID, declared: Format, body: AsyncIterator[bytes]) -> Accepted:
        """Take a picture in, from its first byte to its row, or leave nothing of it.

        Raises HTTPException for a picture that is refused, NoOwnerError, VolumeError,
        DatabaseUnavailableError and what `body` raises.
        """
        if self._uploads >= self._uploads_at_once:
            raise _too_many("Too many uploads at once")
        self._uploads += 1
        try:
            if await self._claims.queued(self._queue_limit) >= self._queue_limit:
                raise _too_many("Too many pictures are waiting to be processed")
            async with self.store.receive() as incoming:
                await self._receive(incoming, declared, body)
                sha256 = await incoming.finish()
                header = await self._checked(incoming)
                accepted = await to_the_end(self._accept(owner, sha256, header, incoming))
        finally:
            self._uploads -= 1
        self.jobs.wake()
        return accepted

    async def forget(self, owner: UUID, media_id: UUID) -> bool:
        """Returns whether there was such a media. Raises DatabaseUnavailableError."""
        sha256 = await self.pictures.forget(owner, media_id)
        if sha256 is not None:
            await self._remove_waste(sha256)
        return sha256 is not None

    async def tidy(self) -> None:
        """Remove what killed processes have left, and pictures whose users are gone. Raises VolumeError
        and DatabaseUnavailableError."""
        for sha256 in await self.pictures.waste(await self.store.tidy()):
            await self._remove_waste(sha256)

    async def _receive(self, incoming: Incoming, declared: Format, body: AsyncIterator[bytes]) -> None:
        try:
            async with asyncio.timeout(self._upload_seconds):
                async for data in body:
                    await incoming.write(data)
                    if len(incoming.start) == SIGNATURE_BYTES:
                        _check_format(incoming.start, declared)
        except TimeoutError:
            raise HTTPException(408, "The upload takes too long", {"Connection": "close"}) from None
        if incoming.size == 0:
            raise HTTPException(422, "The body is empty: it must be a picture")
        _check_format(incoming.start, declared)

    async def _checked(self, incoming: Incoming) -> Header:
        try:
            header = await incoming.header()
        except HeaderError as error:
            raise HTTPException(422, str(error)) from None
        problem = problem_with(header, incoming.size, self._limits)
        if problem is not None:
            raise HTTPException(422, problem)
        return header

    async def _accept(self, owner: UUID, sha256: str, header: Header, incoming: Incoming) -> Accepted:
        async def place(sha256: str) -> None:
            await self.store.place(incoming, sha256)

        complete = await self.store.has_thumbnails(sha256)
        return await self.pictures.accept(owner, sha256, header, incoming.size, complete, place)

    async def _remove_waste(self, sha256: str) -> None:
        try:
            await to_the_end(self.pictures.remove_waste(sha256, self.store.remove))
        except (VolumeError, DatabaseUnavailableError) as error:
            self._log.warning("Files could not be removed yet", sha256=sha256, error=str(error))

    async def _tidy_now_and_then(self) -> None:
        while True:
            with contextlib.suppress(DatabaseUnavailableError, VolumeError):
                await self.tidy()
            await asyncio.sleep(_TIDY_SECONDS)


def _check_format(start: bytes, declared: Format) -> None:
    found = format_of(start)
    if found is None:
        raise HTTPException(415, "The content is not a picture of a known format", ACCEPT)
    if found is not declared:
        raise HTTPException(415, f"The content is {found.media_type}, not {declared.media_type}", ACCEPT)


def _too_many(detail: str) -> HTTPException:
    return HTTPException(429, detail, {"Retry-After": _RETRY_SECONDS})
