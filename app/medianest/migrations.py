"""Schema changes: plain SQL files, applied in order at start, each in a transaction of its own.

Old and new releases run side by side during a deploy: a change must leave the schema usable for the
release before it (first expand; contract in a later release).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from medianest.database import Connection

DIRECTORY = Path(__file__).parent / "migrations"
_FILE_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
# Any number will do, as long as nothing else in this database locks it.
_LOCK = 0x6D656469616E6573
# Whoever waits for a lock on a table keeps everybody waiting who comes after: the release that is
# still serving would stall. So a migration waits for less time than a request has patience.
TABLE_LOCK_SECONDS = 1.0
_ENDS_TRANSACTION = re.compile(
    r"^\s*(BEGIN|START\s+TRANSACTION|COMMIT|ROLLBACK|ABORT)(\s+(WORK|TRANSACTION))?\s*;",
    re.IGNORECASE | re.MULTILINE,
)


class MigrationError(Exception):
    """The migrations and the database do not fit together; a person has to look."""


@dataclass(frozen=True)
class Migration:
    """One file. `checksum` tells whether it was changed after it had been applied."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load(directory: Path = DIRECTORY) -> list[Migration]:
    """The migrations in their order.

    Raises MigrationError for a wrong or doubled file name, and for one that begins or ends
    transactions itself: failing later, it would leave half of itself behind.
    """
    migrations: list[Migration] = []
    for path in sorted(directory.glob("*.sql")):
        match = _FILE_NAME.match(path.name)
        if match is None:
            raise MigrationError(f"migration {path.name} must be named like 0001_what_it_does.sql")
        if migrations and migrations[-1].version == int(match[1]):
            raise MigrationError(f"two migrations have the number {match[1]}: renumber the newer one")
        sql = path.read_text(encoding="utf-8")
        if _ENDS_TRANSACTION.search(sql):
            raise MigrationError(f"migration {match[1]} must leave transactions alone: it runs in one")
        migrations.append(Migration(int(match[1]), match[2], sql))
    return migrations


def pending(migrations: Sequence[Migration], applied: Mapping[int, str]) -> list[Migration]:
    """Those that are not applied yet. `applied` maps versions to checksums.

    Versions that only the database knows come from a newer release, and are fine. Raises
    MigrationError for an applied one whose file has changed, or one that should have come earlier.
    """
    for migration in migrations:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise MigrationError(
                f"migration {migration.version:04} was changed after it had been applied: "
                "put the file back, and write a new migration"
            )
    todo = [migration for migration in migrations if migration.version not in applied]
    if todo and applied and todo[0].version < max(applied):
        raise MigrationError(
            f"migration {todo[0].version:04} comes after {max(applied):04} has been applied: renumber it"
        )
    return todo


async def apply(
    connection: Connection,
    migrations: Sequence[Migration],
    *,
    turn_seconds: float = 10.0,
    table_lock_seconds: float = TABLE_LOCK_SECONDS,
) -> list[int]:
    """Bring the schema up to date. Safe when several replicas start at once: one works, others wait.

    `connection` must be in autocommit and must be closed afterwards, which also frees the lock.
    Returns the versions applied. Raises MigrationError, and psycopg.Error: LockNotAvailable after
    `turn_seconds` of waiting for another replica, or `table_lock_seconds` for a lock on a table that
    somebody uses. Whatever fails leaves the schema as it was; trying again later is safe.
    """
    log = structlog.get_logger(component="migrations")
    # A replica whose network is lost in the midst must not keep the others waiting for hours.
    await _set(connection, "idle_session_timeout", 60)
    await _set(connection, "lock_timeout", turn_seconds)
    await connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    await _set(connection, "lock_timeout", table_lock_seconds)
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version int PRIMARY KEY, name text NOT NULL,"
        " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    rows = await (await connection.execute("SELECT version, checksum FROM schema_migrations")).fetchall()
    todo = pending(migrations, dict(rows))
    for migration in todo:
        async with connection.transaction():
            await connection.execute(migration.sql.encode())
            await connection.execute(
                "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
                [migration.version, migration.name, migration.checksum],
            )
        log.info("Migration applied", version=migration.version, name=migration.name)
    return [migration.version for migration in todo]


async def _set(connection: Connection, setting: str, seconds: float) -> None:
    await connection.execute("SELECT set_config(%s, %s, false)", [setting, f"{round(seconds * 1000)}ms"])
