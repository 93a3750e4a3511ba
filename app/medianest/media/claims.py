"""Pictures as jobs: who makes their thumbnails, until when, and what came of it.

A claim is a lease: its holder renews it, and when the holder dies another one takes the job over. Only
who still holds a claim can end the job, so that it ends once. Postgres' clock is the only one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from medianest.database import Database
from medianest.workers.frames import JsonValue

MOST_ATTEMPTS = 3
GIVEN_UP = "GivenUp"

_HELD = "sha256 = %(sha256)s AND state = 'running' AND claimed_by = %(holder)s AND attempts = %(attempt)s"
_LET_GO = "claimed_by = NULL, lease_until = NULL"


@dataclass(frozen=True)
class Claim:
    """A job that is ours. `attempt` counts from 1."""

    sha256: str
    attempt: int


class Claims:
    """Of one `holder`, whose name no other process may have. `lease` is in seconds. Every method raises
    DatabaseUnavailableError."""

    def __init__(self, database: Database, holder: str, lease: float) -> None:
        self._database = database
        self._holder = holder
        self._lease = lease

    async def queued(self, most: int) -> int:
        """How many jobs wait, counted no further than `most`."""
        query = "SELECT count(*) FROM (SELECT FROM pictures WHERE state = 'queued' LIMIT %s) AS waiting"
        async with self._database.connection() as connection:
            row = await (await connection.execute(query, [most])).fetchone()
        return int(row[0]) if row else 0

    async def take(self, most: int) -> list[Claim]:
        """Claim jobs that wait, or whose holder has not renewed its lease; the oldest first. A job whose
        holders keep dying is given up."""
        give_up = (
            "UPDATE pictures SET state = 'failed', finished_at = now(), claimed_by = NULL,"
            " lease_until = NULL, error_name = %s, error_message = %s"
            " WHERE state = 'running' AND lease_until < now() AND attempts >= %s"
        )
        take = (
            "UPDATE pictures SET state = 'running', attempts = attempts + 1, claimed_by = %(holder)s,"
            " lease_until = now() + make_interval(secs => %(lease)s) WHERE sha256 IN ("
            " SELECT sha256 FROM pictures"
            " WHERE state = 'queued' OR (state = 'running' AND lease_until < now())"
            " ORDER BY queued_at LIMIT %(most)s FOR UPDATE SKIP LOCKED) RETURNING sha256, attempts"
        )
        async with self._database.connection() as connection:
            await connection.execute(
                give_up, [GIVEN_UP, f"Given up after {MOST_ATTEMPTS} tries", MOST_ATTEMPTS]
            )
            found = await connection.execute(
                take, {"holder": self._holder, "lease": self._lease, "most": most}
            )
            return [Claim(*row) for row in await found.fetchall()]

    async def renew(self, claims: Collection[Claim]) -> set[str]:
        """Returns the contents of those that are still held."""
        query = (
            "UPDATE pictures SET lease_until = now() + make_interval(secs => %s)"
            " WHERE sha256 = ANY(%s) AND state = 'running' AND claimed_by = %s RETURNING sha256"
        )
        contents = [claim.sha256 for claim in claims]
        async with self._database.connection() as connection:
            found = await connection.execute(query, [self._lease, contents, self._holder])
            return {row[0] for row in await found.fetchall()}

    async def done(self, claim: Claim, metadata: Mapping[str, JsonValue]) -> bool:
        """Returns whether the claim was still held, as the methods below do."""
        changes = f"state = 'done', finished_at = now(), metadata = %(metadata)s, {_LET_GO}"
        return await self._end(claim, changes, {"metadata": Jsonb(metadata)})

    async def failed(self, claim: Claim, name: str, message: str) -> bool:
        """Reported, and not tried again until the picture is uploaded again."""
        changes = (
            "state = 'failed', finished_at = now(), error_name = %(name)s, error_message = %(message)s,"
            f" {_LET_GO}"
        )
        # Postgres stores no NUL.
        texts = {"name": name.replace("\0", "")[:100], "message": message.replace("\0", "")[:500]}
        return await self._end(claim, changes, texts)

    async def hand_back(self, claim: Claim) -> bool:
        """As if it had not been claimed: another one may do it at once."""
        return await self._end(claim, f"state = 'queued', attempts = attempts - 1, {_LET_GO}", {})

    async def _end(self, claim: Claim, changes: str, values: Mapping[str, object]) -> bool:
        held = {"sha256": claim.sha256, "holder": self._holder, "attempt": claim.attempt}
        query = f"UPDATE pictures SET {changes} WHERE {_HELD}"  # noqa: S608 - texts of this module
        async with self._database.connection() as connection:
            return (await connection.execute(query.encode(), {**held, **values})).rowcount == 1
