"""`python -m medianest user disable NAME` and `… user enable NAME`, for whoever operates a stack."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence

import psycopg

from medianest.database import Database, DatabaseUnavailableError
from medianest.secret_source import SecretSource, UnreadableSecretError
from medianest.users import Users

DONE, FAILED, NO_SUCH_USER = 0, 1, 3


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Returns the exit code: 0 done, 1 not possible now, 3 no such user. Wrong arguments end with 2.

    Works beside running replicas, which refuse the user's tokens at once.
    """
    parser = argparse.ArgumentParser("python -m medianest user", description=__doc__)
    parser.add_argument("action", choices=["disable", "enable"])
    parser.add_argument("name", help="the user's name")
    wanted = parser.parse_args(arguments)
    try:
        url = SecretSource(environment).read("database_url")
        if url is None:
            return _fail("DATABASE_URL_FILE or DATABASE_URL must say where Postgres is")
        found = asyncio.run(_set(url, wanted.action, wanted.name))
    except UnreadableSecretError as error:
        return _fail(str(error))
    except DatabaseUnavailableError as error:
        return _fail(f"Postgres is not available ({error}): try again")
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable):
        return _fail("the schema is older than this release: start a replica of it first")
    if not found:
        _fail(f"there is no user {wanted.name!r}")
        return NO_SUCH_USER
    outcome = "no token of theirs is good" if wanted.action == "disable" else "they may log in again"
    print(f"User {wanted.name} is {wanted.action}d: {outcome}.")
    return DONE


async def _set(url: str, action: str, name: str) -> bool:
    database = Database(url, smallest=1, largest=1)
    try:
        await database.open()
        users = Users(database)
        return await (users.disable(name) if action == "disable" else users.enable(name))
    finally:
        await database.close()


def _fail(message: str) -> int:
    print(f"Error: {message}", file=sys.stderr)
    return FAILED
