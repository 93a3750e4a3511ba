"""Users in Postgres."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from medianest.database import Database
from medianest.passwords import Passwords


@dataclass(frozen=True)
class Credentials:
    """What a login is checked against."""

    user_id: UUID
    password_hash: str

    def __repr__(self) -> str:
        return f"Credentials({self.user_id})"


@dataclass(frozen=True)
class Profile:
    """What a user may see of themselves."""

    id: UUID
    username: str
    display_name: str


class Users:
    """Reads and writes users. Every method raises DatabaseUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def credentials(self, username: str) -> Credentials | None:
        """By name; None when there is no such user, or one that is disabled."""
        query = "SELECT id, password_hash FROM users WHERE username = %s AND disabled_at IS NULL"
        row = await self._database.fetch_one(query, [username])
        return Credentials(*row) if row else None

    async def profile(self, user_id: UUID) -> Profile | None:
        """By id, or None."""
        query = "SELECT id, username, display_name FROM users WHERE id = %s"
        row = await self._database.fetch_one(query, [user_id])
        return Profile(*row) if row else None

    async def rename(self, user_id: UUID, display_name: str) -> Profile | None:
        """Change how a user is called. Returns the new profile, or None when there is no such user."""
        query = (
            "UPDATE users SET display_name = %s, updated_at = now() WHERE id = %s"
            " RETURNING id, username, display_name"
        )
        row = await self._database.write_one(query, [display_name, user_id])
        return Profile(*row) if row else None

    async def disable(self, username: str) -> bool:
        """Let a user log in no more, and refuse every token of theirs, on all replicas at once.

        Returns whether there is such a user. Without effect on one that is disabled.
        """
        return await self._set_disabled(username, disabled=True)

    async def enable(self, username: str) -> bool:
        """Let a user log in again; their former tokens stay refused. Returns whether there is one."""
        return await self._set_disabled(username, disabled=False)

    async def provide(self, username: str, password: str, passwords: Passwords) -> bool:
        """Make sure that a user with this password exists. Returns whether anything was written.

        Safe when several replicas do it at once. Raises PasswordsBusyError.
        """
        known = await self.credentials(username)
        if known is not None and await passwords.verify(known.password_hash, password):
            return False
        query = (
            "INSERT INTO users (username, display_name, password_hash) VALUES (%s, %s, %s)"
            " ON CONFLICT (username) DO UPDATE"
            " SET password_hash = excluded.password_hash, updated_at = now()"
        )
        hashed = await passwords.hash(password)
        await self._database.write_one(query, [username, username, hashed])
        return True

    async def _set_disabled(self, username: str, *, disabled: bool) -> bool:
        query = (
            "UPDATE users SET disabled_at = CASE WHEN %s THEN coalesce(disabled_at, now()) END,"
            " updated_at = now() WHERE username = %s"
        )
        async with self._database.connection() as connection:
            return (await connection.execute(query, [disabled, username])).rowcount > 0
