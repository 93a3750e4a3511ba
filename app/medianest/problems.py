"""Every error has one shape: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from medianest.database import DatabaseUnavailableError
from medianest.login_limits import TooManyAttemptsError
from medianest.passwords import PasswordsBusyError
from medianest.tokens import NotInitialisedError, TokenError

MEDIA_TYPE = "application/problem+json"
REALM = 'Bearer realm="medianest"'
_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}


class UnauthenticatedError(Exception):
    """Nobody has said who they are, or not convincingly."""


def problem(
    scope: Scope,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **extensions: Any,
) -> JSONResponse:
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
    return JSONResponse(document, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, as its `responses` in OpenAPI."""
    return {status: _documented(HTTPStatus(status)) for status in statuses}


def _documented(status: HTTPStatus) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "const": int(status)},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "request_id": {"type": "string"},
    }
    required = list(properties)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        texts = {name: {"type": "string"} for name in ("location", "message")}
        error = {"type": "object", "properties": texts, "required": list(texts)}
        properties["errors"] = {"type": "array", "items": error}
    schema = {"type": "object", "properties": properties, "required": required}
    document: dict[str, Any] = {
        "description": status.phrase,
        "content": {MEDIA_TYPE: {"schema": schema}},
    }
    if header := _HEADERS.get(status):
        document["headers"] = {header: {"schema": {"type": "string"}, "required": True}}
    return document


def install(app: FastAPI) -> None:
    """Answer every exception with a problem."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(UnauthenticatedError, _unauthenticated)
    app.add_exception_handler(TokenError, _token)
    app.add_exception_handler(DatabaseUnavailableError, _database)
    app.add_exception_handler(PasswordsBusyError, _busy)
    app.add_exception_handler(TooManyAttemptsError, _too_many_attempts)
    app.add_exception_handler(Exception, _unexpected)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(request.scope, error.status_code, str(error.detail), error.headers)


async def _validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Where and what, never the value: it may be a password.
    errors = [
        {"location": ".".join(str(part) for part in item["loc"]), "message": item["msg"]}
        for item in error.errors()
    ]
    return problem(request.scope, 422, "The request is not valid", errors=errors)


async def _unauthenticated(request: Request, error: Exception) -> JSONResponse:
    return problem(request.scope, 401, str(error), {"WWW-Authenticate": REALM, "Cache-Control": "no-store"})


async def _token(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, NotInitialisedError):
        return problem(request.scope, 503, str(error), {"Retry-After": "1"})
    # RFC 6750, section 3.1
    challenge = f'{REALM}, error="invalid_token", error_description="{error}"'
    return problem(request.scope, 401, str(error), {"WWW-Authenticate": challenge})


async def _database(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DatabaseUnavailableError)
    after = {"Retry-After": str(error.retry_after)}
    return problem(request.scope, 503, "The database is not available", after)


async def _busy(request: Request, _error: Exception) -> JSONResponse:
    return problem(request.scope, 503, "Too many logins at once", {"Retry-After": "2"})


async def _too_many_attempts(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TooManyAttemptsError)
    headers = {"Retry-After": str(error.retry_after), "Cache-Control": "no-store"}
    return problem(request.scope, 429, str(error), headers)


async def _unexpected(request: Request, _error: Exception) -> JSONResponse:
    return problem(request.scope, 500, "Something went wrong; the log has it under the request's id")
