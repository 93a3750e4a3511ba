"""`python -m medianest seed`: demo users with pictures, always the same ones, for stacks to throw away.

It runs beside a serving replica and asks it as a client does, so that what it leaves is what a user would.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import sys
from collections.abc import Mapping

from PIL import Image

from medianest.database import Database, DatabaseUnavailableError
from medianest.passwords import Passwords
from medianest.secret_source import SecretSource, UnreadableSecretError
from medianest.users import Users

USERS = {"ada": "Ada Lovelace", "grace": "Grace Hopper", "edsger": "Edsger Dijkstra"}
PICTURES = 3
SIZE = (640, 480)
DONE, FAILED = 0, 1
_TIMEOUT_SECONDS = 30


def main(environment: Mapping[str, str]) -> int:
    """Returns the exit code: 0 done, 1 not possible now. Doing it again changes nothing."""
    source = SecretSource(environment)
    try:
        url, password = source.read("database_url"), source.read("demo_password")
        if url is None or password is None:
            return _fail("the secrets database_url and demo_password must be there")
        asyncio.run(_provide_users(url, password))
        for number, name in enumerate(USERS):
            token = _log_in(environment, name, password)
            for picture in range(PICTURES):
                _upload(environment, token, draw(number * PICTURES + picture))
    except UnreadableSecretError as error:
        return _fail(str(error))
    except DatabaseUnavailableError as error:
        return _fail(f"Postgres is not available ({error}): try again")
    except (OSError, http.client.HTTPException, _RefusedError) as error:
        return _fail(f"the backend did not take it: {error}")
    print(f"{len(USERS)} users with {PICTURES} pictures each: {', '.join(USERS)}, with the demo password.")
    return DONE


def draw(number: int) -> bytes:
    """A picture that depends on its number alone: a PNG without metadata."""
    across = Image.linear_gradient("L").resize(SIZE)
    down = across.rotate(180)
    level = Image.new("L", SIZE, number * 25 % 256)
    bands = [across, down, level]
    turned = bands[number % 3 :] + bands[: number % 3]
    file = io.BytesIO()
    Image.merge("RGB", turned).save(file, "PNG")
    return file.getvalue()


async def _provide_users(url: str, password: str) -> None:
    database = Database(url, smallest=1, largest=1)
    try:
        await database.open()
        users, passwords = Users(database), Passwords()
        for name, display_name in USERS.items():
            await users.provide(name, password, passwords)
            credentials = await users.credentials(name)
            if credentials is not None:
                await users.rename(credentials.user_id, display_name)
    finally:
        await database.close()


class _RefusedError(Exception):
    """An answer that says no. The message holds neither the request nor a token."""


def _log_in(environment: Mapping[str, str], name: str, password: str) -> str:
    body = json.dumps({"username": name, "password": password}).encode()
    answer = _post(environment, "/api/auth/login", body, {"Content-Type": "application/json"})
    return str(json.loads(answer)["access_token"])


def _upload(environment: Mapping[str, str], token: str, picture: bytes) -> None:
    headers = {"Content-Type": "image/png", "Authorization": f"Bearer {token}"}
    _post(environment, "/api/media", picture, headers)


def _post(environment: Mapping[str, str], path: str, body: bytes, headers: dict[str, str]) -> bytes:
    port = int(environment.get("PORT", "3000"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise _RefusedError(f"{path} answered {answer.status}")
    return content


def _fail(message: str) -> int:
    print(f"Error: {message}", file=sys.stderr)
    return FAILED
