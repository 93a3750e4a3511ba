"""Password hashes (argon2id): slow on purpose, so they run in threads, a few at a time."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable

import argon2

# OWASP's first choice for argon2id (Password Storage Cheat Sheet): 19 MiB, 2 passes, 1 lane.
_MEMORY_KIB = 19 * 1024
_PASSES = 2


class PasswordsBusyError(Exception):
    """Too many passwords are being checked; try again in a moment."""


class Passwords:
    """Hashes and verifies. At most `parallel` at once, so that logins cannot take all the memory and
    cores; who waits longer than `patience` seconds for a turn is sent away."""

    def __init__(self, parallel: int = 2, patience: float = 5.0) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)
        self._turns = asyncio.Semaphore(parallel)
        self._patience = patience
        # Checked in place of the hash of a user that does not exist: the answer takes as long.
        self._decoy = self._hasher.hash(secrets.token_hex())

    async def hash(self, password: str) -> str:
        """Raises PasswordsBusyError."""
        async with self._turn():
            return await asyncio.to_thread(self._hasher.hash, _bytes(password))

    async def verify(
        self, stored: str | None, password: str, admit: Callable[[], None] | None = None
    ) -> bool:
        """Whether the password is the one of the stored hash; never when there is none.

        `admit` is called when it is this check's turn, and may raise to give it up. Raises
        PasswordsBusyError.
        """
        async with self._turn():
            if admit is not None:
                admit()
            matches = await asyncio.to_thread(self._matches, stored or self._decoy, password)
        return matches and stored is not None

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, _bytes(password))
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience):
                await self._turns.acquire()
        except TimeoutError:
            raise PasswordsBusyError from None
        try:
            yield
        finally:
            self._turns.release()


def _bytes(password: str) -> bytes:
    # JSON may hold half of a surrogate pair, which plain UTF-8 has no bytes for.
    return password.encode("utf-8", "surrogatepass")
