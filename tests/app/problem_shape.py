"""One helper for the one shape of errors."""

from http import HTTPStatus
from typing import Any

import httpx


def assert_problem(answer: httpx.Response, status: int, detail: str) -> dict[str, Any]:
    """The answer is a problem (RFC 9457) that says `detail`. Returns its document."""
    document: dict[str, Any] = answer.json()
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert document | {"errors": None} == {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": answer.request.url.path,
        "request_id": answer.headers["X-Request-ID"],
        "errors": None,
    }
    if status == 401:
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="medianest"')
    if status == 503:
        assert int(answer.headers["Retry-After"]) > 0
    return document
