"""The demo user, logged in through the gateway, and what such a user does."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from medianest.soak.http_client import Answer, Client, NoAnswerError
from medianest.soak.protocol import CannotRunError
from medianest.soak.target import Target

PROFILE = "/api/users/me"
# Tokens live for 24 hours, a check may run for longer.
_RENEW_SECONDS = 3600.0


class User:
    """Changes nothing for good: what it writes is what it has read."""

    def __init__(self, target: Target) -> None:
        self.client = Client(target.gateway_host, target.gateway_port)
        self._credentials = _json({"username": target.username, "password": target.password})
        self._token = ""
        self._issued = 0.0
        self._display_name = ""

    async def prepare(self) -> None:
        """Log in and read the profile. Raises CannotRunError."""
        try:
            answer = await self.log_in()
            if answer.status == 200:
                answer = await self.read()
        except NoAnswerError as error:
            raise CannotRunError(f"the gateway does not answer: {error}") from None
        if answer.status != 200:
            raise CannotRunError(f"the demo user cannot log in and read its profile: status {answer.status}")
        self._display_name = str(answer.document()["display_name"])

    async def log_in(self) -> Answer:
        """Raises NoAnswerError."""
        headers = {"Content-Type": "application/json"}
        answer = await self.client.request("POST", "/api/auth/login", headers=headers, body=self._credentials)
        if answer.status == 200:
            self._token = str(answer.document()["access_token"])
            self._issued = time.monotonic()
        return answer

    async def read(self) -> Answer:
        """The own profile, by way of the cache. Raises NoAnswerError."""
        return await self.request("GET", PROFILE)

    async def write(self) -> Answer:
        """Give the profile the name that it has. Raises NoAnswerError."""
        headers = {"Content-Type": "application/json"}
        return await self.request(
            "PATCH", PROFILE, headers=headers, body=_json({"display_name": self._display_name})
        )

    async def test_jwt(self) -> Answer:
        """Raises NoAnswerError."""
        return await self.client.request("POST", "/api/auth/test-jwt")

    async def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Any request, with the user's token. Raises NoAnswerError."""
        if time.monotonic() - self._issued > _RENEW_SECONDS:
            await self.log_in()
        bearer = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        return await self.client.request(method, path, headers=bearer, body=body)

    async def close(self) -> None:
        await self.client.close()


def _json(document: Mapping[str, str]) -> bytes:
    return json.dumps(document).encode()
