"""Replicas of the library in one process: one database, one volume, a pool of workers each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from medianest import migrations
from medianest.database import Database
from medianest.media.headers import Format
from medianest.media.jobs import JobTimes
from medianest.media.library import Library
from medianest.media.limits import Limits
from medianest.media.pictures import Accepted
from medianest.workers.pool import WorkerPool
from workers.pools import BARE, OPTIONS

QUICK = JobTimes(lease=1.0, renew=0.2, poll=0.05, deadline=10.0)
LIMITS = Limits.of(20, 100)


@dataclass
class Replica:
    library: Library
    pool: WorkerPool
    database: Database
    accepting: bool = True

    async def upload(self, owner: UUID, content: bytes, kind: Format = Format.JPEG) -> Accepted:
        return await self.library.upload(owner, kind, httpx.ByteStream(content).__aiter__())

    async def states(self) -> dict[str, Any]:
        query = "SELECT sha256, state FROM pictures"
        async with self.database.connection() as connection:
            return dict(await (await connection.execute(query)).fetchall())

    async def all_ended(self, seconds: float = 20) -> dict[str, Any]:
        """The states of all pictures, when none is queued or running."""
        async with asyncio.timeout(seconds):
            while not {*(states := await self.states()).values()} <= {"done", "failed"}:
                await asyncio.sleep(0.02)
        return states


@asynccontextmanager
async def migrated(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    async with database.single() as connection:
        await migrations.apply(connection, migrations.load())
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def user(database: Database, name: str = "somebody") -> UUID:
    query = "INSERT INTO users (username, display_name, password_hash) VALUES (%s, %s, '-') RETURNING id"
    async with database.connection() as connection:
        row = await (await connection.execute(query, [name, name])).fetchone()
    assert row is not None
    return UUID(str(row[0]))


@asynccontextmanager
async def replica(
    database_url: str, directory: Path, *, times: JobTimes = QUICK, faulty: bool = False, workers: int = 2
) -> AsyncIterator[Replica]:
    """Starts no jobs unless it is told to: `library.start()`."""
    module = "media.tasks_at_fault" if faulty else "medianest.media.tasks"
    pool = WorkerPool([module], replace(OPTIONS, size=workers), BARE)
    await pool.start()
    async with migrated(database_url) as database:
        made = Replica(
            Library(
                database,
                pool,
                directory,
                LIMITS,
                queue_limit=1000,
                accepting=lambda: made.accepting,
                times=times,
            ),
            pool,
            database,
        )
        await made.library.open()
        try:
            yield made
        finally:
            await made.library.stop(0)
            await pool.stop(0)
