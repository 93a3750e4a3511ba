"""Every error has one shape: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from medianest.answers import Json
from medianest.database import DatabaseUnavailableError
from medianest.login_limits import TooManyAttemptsError
from medianest.passwords import PasswordsBusyError
from medianest.tokens import NotInitialisedError, TokenError

MEDIA_TYPE = "application/problem+json"
REALM = 'Bearer realm="medianest"'

_DESCRIPTIONS = {
    400: "The body cannot be read",
    401: "Not authenticated, or not convincingly",
    413: "The body is too large",
    422: "Something in the request is not valid",
    429: "Too many requests of this kind",
    500: "A bug; the log has it under the request's id",
    503: "Busy, or without a service that this needs",
}
_HEADERS = {
    401: ("WWW-Authenticate", {"schema": {"type": "string"}, "description": "RFC 6750."}),
    429: ("Retry-After", {"schema": {"type": "integer"}, "description": "Seconds."}),
    503: ("Retry-After", {"schema": {"type": "integer"}, "description": "Seconds."}),
}


class UnauthenticatedError(Exception):
    """Nobody has said who they are, or not convincingly."""


def problem(
    scope: Scope,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **extensions: Any,
) -> Response:
    """The response. `detail` is for people, and never says more than a stranger may know."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": scope["path"],
        "request_id": scope.get("request_id"),
        **extensions,
    }
    return Json(document, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Problems that a route may answer with, as its `responses`; openapi adds those of every route."""
    return {status: _documented(status) for status in statuses}


def _documented(status: int) -> dict[str, Any]:
    document: dict[str, Any] = {
        "description": _DESCRIPTIONS.get(status, HTTPStatus(status).phrase),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in _HEADERS:
        name, header = _HEADERS[status]
        document["headers"] = {name: header}
    return document


def _http(scope: Scope, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # FastAPI names the methods of the first route that has this path, not of all.
        headers["Allow"] = scope["app"].state.route_table.allowed(scope["path"])
    return problem(scope, error.status_code, str(error.detail), headers)


def _validation(scope: Scope, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Where and what, never the value: it may be a password.
    errors = [
        {"location": ".".join(str(part) for part in item["loc"]), "message": item["msg"]}
        for item in error.errors()
    ]
    return problem(scope, 422, "The request is not valid", errors=errors)


def _unauthenticated(scope: Scope, error: Exception) -> Response:
    return problem(scope, 401, str(error), {"WWW-Authenticate": REALM, "Cache-Control": "no-store"})


def _token(scope: Scope, error: Exception) -> Response:
    if isinstance(error, NotInitialisedError):
        return problem(scope, 503, str(error), {"Retry-After": "1"})
    # RFC 6750, section 3.1
    challenge = f'{REALM}, error="invalid_token", error_description="{error}"'
    return problem(scope, 401, str(error), {"WWW-Authenticate": challenge})


def _database(scope: Scope, error: Exception) -> Response:
    assert isinstance(error, DatabaseUnavailableError)
    after = {"Retry-After": str(error.retry_after)}
    return problem(scope, 503, "The database is not available", after)


def _busy(scope: Scope, _error: Exception) -> Response:
    return problem(scope, 503, "Too many logins at once", {"Retry-After": "2"})


def _too_many_attempts(scope: Scope, error: Exception) -> Response:
    assert isinstance(error, TooManyAttemptsError)
    headers = {"Retry-After": str(error.retry_after), "Cache-Control": "no-store"}
    return problem(scope, 429, str(error), headers)


def _unexpected(scope: Scope, _error: Exception) -> Response:
    return problem(scope, 500, "Something went wrong; the log has it under the request's id")


ANSWERS: Mapping[type[Exception], Callable[[Scope, Exception], Response]] = {
    HTTPException: _http,
    RequestValidationError: _validation,
    UnauthenticatedError: _unauthenticated,
    TokenError: _token,
    DatabaseUnavailableError: _database,
    PasswordsBusyError: _busy,
    TooManyAttemptsError: _too_many_attempts,
    Exception: _unexpected,
}
"""What each exception is answered with; of several classes that fit, the closest."""


def answer(scope: Scope, error: Exception) -> Response:
    """The problem that an exception is answered with."""
    return _answer_of(error)(scope, error)


def is_unexpected(error: Exception) -> bool:
    """Whether an exception is a bug, which the log has to tell of."""
    return _answer_of(error) is _unexpected


def install(app: FastAPI) -> None:
    """Answer every exception of `app` with a problem."""

    async def handle(request: Request, error: Exception) -> Response:
        return answer(request.scope, error)

    for kind in ANSWERS:
        app.add_exception_handler(kind, handle)


def _answer_of(error: Exception) -> Callable[[Scope, Exception], Response]:
    return next(ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS)
