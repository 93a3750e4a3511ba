"""Keeps a replica's revocations in step with those in Postgres."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any

import structlog

from medianest import notifications
from medianest.database import Connection, Database, DatabaseUnavailableError
from medianest.events import EventManager
from medianest.revocations import LIFETIME, Refusal, Revocation, Revocations

CHANNEL = "revocation"
"""Where the triggers of migration 0002 notify."""
_MARGIN = 3600
# A transaction that commits late shows up with the time of its beginning.
_OVERLAP = 60
_PRUNE_EVERY = 6


class RevocationFeed:
    """Loads everything at start and after each gap in the notifications; hears of each new one at
    once; and asks every `poll_seconds` for the recent ones, should a notification have been lost.

    Without Postgres what is known still holds, and what is new waits until it is back.
    """

    def __init__(
        self,
        revocations: Revocations,
        database: Database,
        events: EventManager,
        *,
        poll_seconds: float = 10.0,
    ) -> None:
        self._revocations = revocations
        self._database = database
        self._events = events
        self._poll_seconds = poll_seconds
        self._gap = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._in_step = True
        self._log = structlog.get_logger(component="revocations")

    async def start(self) -> None:
        """Load all of them, and keep in step from now on. Raises DatabaseUnavailableError."""
        self._events.subscribe(notifications.SOURCE, CHANNEL, self._notified)
        self._events.subscribe(notifications.SOURCE, notifications.LISTENING, self._missed_some)
        await self._load(everything=True)
        if self._task is None:
            self._task = asyncio.create_task(self._keep_in_step())

    async def stop(self) -> None:
        """Know what is known, and learn no more."""
        self._events.unsubscribe(notifications.SOURCE, CHANNEL, self._notified)
        self._events.unsubscribe(notifications.SOURCE, notifications.LISTENING, self._missed_some)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def revoke(self, token_id: str, expires_at: float) -> None:
        """Refuse a token everywhere until it expires. Once this returns it holds here, whatever
        happens to Postgres or Redis; the other replicas hear of it at the same moment.

        Raises DatabaseUnavailableError: the token may then still be good.
        """
        query = (
            "INSERT INTO revocations (token_id, expires_at) VALUES (%s, to_timestamp(%s))"
            " ON CONFLICT (token_id) DO NOTHING"
        )
        async with self._database.connection() as connection:
            await connection.execute(query, [token_id, expires_at])
        self._revocations.learn(Revocation(token_id, expires_at))

    def _notified(self, payload: str) -> None:
        try:
            self._revocations.learn(_entry(json.loads(payload)))
        except (ValueError, TypeError, KeyError):
            self._log.error("A notification that cannot be read", channel=CHANNEL)
            self._gap.set()

    def _missed_some(self, _payload: object) -> None:
        self._gap.set()

    async def _keep_in_step(self) -> None:
        rounds = 0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._gap.wait()
            everything = self._gap.is_set()
            self._gap.clear()
            rounds += 1
            try:
                await self._load(everything=everything)
                if rounds % _PRUNE_EVERY == 0:
                    self._revocations.prune()
                    await self._delete_expired()
            except DatabaseUnavailableError as error:
                self._fell_behind(error)
                # Who cannot ask now cannot know how much is missed until then.
                await asyncio.sleep(min(1.0, self._poll_seconds))
                self._gap.set()
            else:
                self._caught_up()

    async def _load(self, *, everything: bool) -> None:
        async with self._database.connection() as connection:
            for entry in await _stored(connection, None if everything else _OVERLAP):
                self._revocations.learn(entry)

    async def _delete_expired(self) -> None:
        async with self._database.connection() as connection:
            await connection.execute(
                "DELETE FROM revocations WHERE expires_at < now() - make_interval(secs => %s)", [_MARGIN]
            )

    def _fell_behind(self, error: Exception) -> None:
        if self._in_step:
            self._in_step = False
            self._log.warning("Revocations may be behind; the known ones hold", error=str(error))

    def _caught_up(self) -> None:
        if not self._in_step:
            self._in_step = True
            self._log.info("Revocations are in step again")


def _entry(document: Mapping[str, Any]) -> Revocation | Refusal:
    """What the triggers of migration 0002 notify."""
    if "token_id" in document:
        return Revocation(str(document["token_id"]), float(document["expires_at"]))
    return Refusal(
        str(document["user_id"]), float(document["tokens_from"]), disabled=bool(document["disabled"])
    )


async def _stored(connection: Connection, seconds: float | None) -> list[Revocation | Refusal]:
    """Those that still matter, of the last `seconds` or of all time."""
    age = LIFETIME + _MARGIN if seconds is None else seconds
    tokens = await connection.execute(
        "SELECT token_id, extract(epoch FROM expires_at)::float8 FROM revocations"
        " WHERE expires_at > now() - make_interval(secs => %s)"
        " AND revoked_at > now() - make_interval(secs => %s)",
        [_MARGIN, age],
    )
    found: list[Revocation | Refusal] = [Revocation(*row) for row in await tokens.fetchall()]
    users = await connection.execute(
        "SELECT id::text, extract(epoch FROM tokens_from)::float8, disabled_at IS NOT NULL FROM users"
        " WHERE tokens_from > now() - make_interval(secs => %s)",
        [age],
    )
    return found + [Refusal(*row) for row in await users.fetchall()]
