"""Asks the guardian of this container for the document, without what makes a program slow to start."""

from __future__ import annotations

from urllib.request import Request, urlopen

from guardian.settings import Settings, secret

_SECONDS = 10.0


def ask(settings: Settings) -> str:
    """The document, as JSON. Raises OSError where the guardian does not answer with it."""
    token = secret(settings.token_file)
    request = Request(
        f"http://127.0.0.1:{settings.port}/document", headers={"Authorization": f"Bearer {token}"}
    )
    with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        body: bytes = answer.read()
    return body.decode()
