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
from medianest.passwords import PasswordsBusyError
from medianest.tokens import NotInitialisedError, TokenError

MEDIA_TYPE = "application/problem+json"
REALM = 'Bearer realm="medianest"'


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


def install(app: FastAPI) -> None:
    """Answer every exception with a problem."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(UnauthenticatedError, _unauthenticated)
    app.add_exception_handler(TokenError, _token)
    app.add_exception_handler(DatabaseUnavailableError, _database)
    app.add_exception_handler(PasswordsBusyError, _busy)
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


async def _unexpected(request: Request, _error: Exception) -> JSONResponse:
    return problem(request.scope, 500, "Something went wrong; the log has it under the request's id")
