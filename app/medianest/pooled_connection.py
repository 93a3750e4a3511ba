"""A connection to Postgres that knows whether it may be used, and that can be given up at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import time
from typing import Any

import psycopg

# A connection that was idle for longer is asked whether it works. Asking costs a round trip, which
# a busy backend need not pay: its connections are rarely idle for so long. Seconds.
TRUSTED_FOR = 1.0
_CHECK_SECONDS = 1.0
_CANCEL_SECONDS = 1.0


class PooledConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """In autocommit, so that a single statement is one round trip."""

    _used_at = 0.0
    _giving_up: asyncio.TimerHandle | None = None
    _given_up = False

    def was_lost(self, error: psycopg.OperationalError) -> bool:
        """Whether a statement failed because Postgres went away, not because it was slow."""
        stopped = isinstance(error, psycopg.errors.AdminShutdown | psycopg.errors.CrashShutdown)
        return (self.closed or stopped) and not self._given_up

    def trusted(self) -> bool:
        """Whether it may be used unasked: used a moment ago, and nothing has arrived on it since.

        Nothing arrives on an idle connection until it breaks, or Postgres has something to tell. So a
        look at the socket finds a restart of Postgres, without a round trip.
        """
        return time.monotonic() - self._used_at < TRUSTED_FOR and not self.closed and not self._readable()

    async def works(self) -> bool:
        """Ask Postgres, which also finds what leaves no trace on the socket: a lost network."""
        self.give_up_after(_CHECK_SECONDS)
        try:
            await self.execute("")
        except psycopg.Error:
            return False
        finally:
            self.rest()
        return True

    async def cancel_safe(self, *, timeout: float = _CANCEL_SECONDS) -> None:
        """Ask Postgres to give up what it does for this connection. psycopg does so for a task that is
        cancelled, and would wait for five seconds where the network hangs."""
        await super().cancel_safe(timeout=min(timeout, _CANCEL_SECONDS))

    def give_up_after(self, seconds: float) -> None:
        """Break the connection unless it rests by then: what waits for an answer fails at once.

        Cancelling would not do: psycopg then asks Postgres to give the statement up, and waits for it,
        which is useless when the network or Postgres hangs.
        """
        self._giving_up = asyncio.get_running_loop().call_later(seconds, self._break)

    def rest(self) -> None:
        """It has done its work for now."""
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
        self._used_at = time.monotonic()

    def _readable(self) -> bool:
        poll = select.poll()
        poll.register(self.pgconn.socket, select.POLLIN)
        return bool(poll.poll(0))

    def _break(self) -> None:
        if self.closed:
            return
        self._given_up = True
        # Only the socket: libpq still owns the connection, and finds it ended.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self.pgconn.socket)) as doubled:
            doubled.shutdown(socket.SHUT_RDWR)
