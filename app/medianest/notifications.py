"""What Postgres notifies (LISTEN and NOTIFY), published as events of this process.

Source: https://www.postgresql.org/docs/17/sql-notify.html
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import psycopg
import structlog
from psycopg import sql

from medianest.database import Database
from medianest.events import EventManager

SOURCE = "postgres"
LISTENING = "listening"
"""The event after each (re)connect: what was notified before it may have been missed."""


class Notifications:
    """One connection of its own, which a pool could not lend for ever. Each notification is published
    as an event named like its channel, with its payload as text; `LISTENING` after each connect.

    `first_pause` and `longest_pause` are between tries to connect, in seconds.
    """

    def __init__(
        self,
        database: Database,
        events: EventManager,
        channels: Sequence[str],
        *,
        first_pause: float = 0.1,
        longest_pause: float = 5.0,
    ) -> None:
        self._database = database
        self._events = events
        self._channels = list(channels)
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger(component="notifications")
        self.listening = False

    def start(self) -> None:
        """Begin, and keep at it until `stop`. Without effect when begun."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_listening())

    async def stop(self) -> None:
        """Give the connection up."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _keep_listening(self) -> None:
        pause = self._first_pause
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                if self.listening:
                    pause = self._first_pause
                    self._log.warning("Lost the connection that listens", error=type(error).__name__)
            finally:
                self.listening = False
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._longest_pause)

    async def _listen(self) -> None:
        async with self._database.single() as connection:
            for channel in self._channels:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            self.listening = True
            self._log.info("Listening to Postgres", channels=self._channels)
            await self._events.publish(SOURCE, LISTENING)
            async for notification in connection.notifies():
                await self._events.publish(SOURCE, notification.channel, notification.payload)
