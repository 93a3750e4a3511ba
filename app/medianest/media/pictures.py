"""Rows: contents (`pictures`), and which users have uploaded them (`media`).

Media refer to a picture only while its row is locked, and a picture is removed only while its row is
locked and no media refer to it; so that a removal and an upload of the same content follow each other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from medianest.database import Connection, Database
from medianest.media.headers import Header

_COLUMNS = (
    "m.id, m.created_at, p.sha256, p.format, p.width, p.height, p.bytes, p.state, p.error_name,"
    " p.error_message, p.metadata"
)
_MEDIA = f"SELECT {_COLUMNS} FROM media m JOIN pictures p USING (sha256)"  # noqa: S608 - texts of this module

Effect = Callable[[str], Awaitable[None]]
"""What is done to the files of a content while its row is locked."""


class NoOwnerError(Exception):
    """The user is gone."""


@dataclass(frozen=True)
class Media:
    """What a user has uploaded, with the state of its content."""

    id: UUID
    created_at: datetime
    sha256: str
    format: str
    width: int
    height: int
    bytes: int
    state: str
    error_name: str | None
    error_message: str | None
    metadata: dict[str, Any] | None


@dataclass(frozen=True)
class Accepted:
    """`anew` tells whether the upload was needed: there was no such media, or it had failed."""

    media: Media
    anew: bool


@dataclass(frozen=True)
class Position:
    """Where a page of a user's media ends."""

    created_at: datetime
    id: UUID


class Pictures:
    """Every method raises DatabaseUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, owner: UUID, media_id: UUID) -> Media | None:
        """None when there is none, or it is somebody else's."""
        async with self._database.connection() as connection:
            return await _one(connection, f"{_MEDIA} WHERE m.id = %s AND m.owner = %s", [media_id, owner])

    async def page(self, owner: UUID, most: int, after: Position | None) -> list[Media]:
        """A user's media, newest first; those that follow a position."""
        where = "m.owner = %(owner)s"
        values: dict[str, object] = {"owner": owner, "most": most}
        if after is not None:
            where += " AND (m.created_at, m.id) < (%(created_at)s, %(id)s)"
            values |= {"created_at": after.created_at, "id": after.id}
        query = f"{_MEDIA} WHERE {where} ORDER BY m.created_at DESC, m.id DESC LIMIT %(most)s"
        async with self._database.connection() as connection:
            rows = await (await connection.execute(query.encode(), values)).fetchall()
        return [Media(*row) for row in rows]

    async def accept(
        self, owner: UUID, sha256: str, header: Header, size: int, complete: bool, place: Effect
    ) -> Accepted:
        """Write an upload down. Its file is placed where the content is new or has to be done again;
        `complete` tells whether the thumbnails of a content that is done are there.

        Raises NoOwnerError, and what `place` raises; nothing is written then.
        """
        try:
            async with self._database.connection() as connection:
                state = await _lock_or_insert(connection, sha256, header, size)
                wanted = await _is_referred_to(connection, sha256)
                inserted = await _insert_or_lock(connection, owner, sha256)
                if again := not wanted or state == "failed" or (state == "done" and not complete):
                    await place(sha256)
                    await connection.execute(
                        "UPDATE pictures SET state = 'queued', queued_at = now(), attempts = 0,"
                        " finished_at = NULL, error_name = NULL, error_message = NULL, metadata = NULL"
                        # Whoever runs it goes on with the same content.
                        " WHERE sha256 = %s AND state <> 'running'",
                        [sha256],
                    )
                query = f"{_MEDIA} WHERE m.owner = %s AND m.sha256 = %s"
                media = await _one(connection, query, [owner, sha256])
        except psycopg.errors.ForeignKeyViolation as error:
            raise NoOwnerError from error
        assert media is not None
        return Accepted(media, anew=again or inserted)

    async def forget(self, owner: UUID, media_id: UUID) -> str | None:
        """Returns the content, which may be waste now; None when there is no such media."""
        query = "DELETE FROM media WHERE id = %s AND owner = %s RETURNING sha256"
        async with self._database.connection() as connection:
            row = await (await connection.execute(query, [media_id, owner])).fetchone()
        return row[0] if row else None

    async def remove_waste(self, sha256: str, remove: Effect) -> bool:
        """Remove a content, files first, unless somebody refers to it or its job is running. Raises what
        `remove` raises; the row stays then. Returns whether it was removed."""
        async with self._database.connection() as connection:
            # Two statements: the second must see what was written while the first waited for the lock.
            lock = "SELECT FROM pictures WHERE sha256 = %s AND state <> 'running' FOR UPDATE"
            locked = await connection.execute(lock, [sha256])
            if locked.rowcount == 0 or await _is_referred_to(connection, sha256):
                return False
            await remove(sha256)
            await connection.execute("DELETE FROM pictures WHERE sha256 = %s", [sha256])
        return True

    async def waste(self, contents: Sequence[str]) -> list[str]:
        """The pictures that nobody refers to; among them, from now on, those of `contents` (found in the
        volume) that have no row at all."""
        adopt = (
            "INSERT INTO pictures (sha256, format, width, height, bytes, state, error_name, error_message)"
            " SELECT content, '', 0, 0, 0, 'failed', 'Unknown', '' FROM unnest(%s::text[]) AS content"
            " ON CONFLICT DO NOTHING"
        )
        query = (
            "SELECT sha256 FROM pictures p WHERE state <> 'running'"
            " AND NOT EXISTS (SELECT FROM media m WHERE m.sha256 = p.sha256)"
        )
        async with self._database.connection() as connection:
            await connection.execute(adopt, [list(contents)])
            return [row[0] for row in await (await connection.execute(query)).fetchall()]


async def _lock_or_insert(connection: Connection, sha256: str, header: Header, size: int) -> str:
    query = (
        "INSERT INTO pictures (sha256, format, width, height, bytes) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (sha256) DO UPDATE SET format = excluded.format, width = excluded.width,"
        " height = excluded.height, bytes = excluded.bytes RETURNING state"
    )
    values = [sha256, header.format.value, header.width, header.height, size]
    row = await (await connection.execute(query, values)).fetchone()
    assert row is not None
    return str(row[0])


async def _insert_or_lock(connection: Connection, owner: UUID, sha256: str) -> bool:
    """Whether the user's media is new. It cannot be deleted before the commit."""
    query = (
        "INSERT INTO media (owner, sha256) VALUES (%s, %s) ON CONFLICT (owner, sha256)"
        " DO UPDATE SET created_at = media.created_at RETURNING xmax = 0"
    )
    row = await (await connection.execute(query, [owner, sha256])).fetchone()
    assert row is not None
    return bool(row[0])


async def _is_referred_to(connection: Connection, sha256: str) -> bool:
    found = await connection.execute("SELECT FROM media WHERE sha256 = %s LIMIT 1", [sha256])
    return found.rowcount == 1


async def _one(connection: Connection, query: str, values: Sequence[object]) -> Media | None:
    row = await (await connection.execute(query.encode(), values)).fetchone()
    return Media(*row) if row else None
