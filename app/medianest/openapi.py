"""The API's description (OpenAPI 3.1): what routes declare, and the errors that any of them may give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from medianest.problems import MEDIA_TYPE

PATH = "/api/openapi.json"
_ABOUT = """Errors are problems (RFC 9457). HEAD is answered wherever GET is; a method that a path does
not take gets a 405 with `Allow`. `X-Request-ID` is taken from a request and returned."""

_PROBLEM = {
    "title": "Problem",
    "description": "RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The path of the request."},
        "request_id": {"type": "string", "description": "As in the header `X-Request-ID` and in the log."},
        "errors": {
            "type": "array",
            "description": "What is not valid, and where. Never the value.",
            "items": {
                "type": "object",
                "required": ["location", "message"],
                "properties": {"location": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_FIXED = ("HTTPValidationError", "ValidationError")
_CHALLENGE = {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "RFC 6750."}}
_RETRY = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}


def problem_response(description: str, headers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A response in `responses=` of a route, or one that every route of a kind has."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content, **({"headers": headers} if headers else {})}


def install(app: FastAPI) -> None:
    """Complete the description that FastAPI makes of the routes of `app`. Made once, when first asked."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, description=_ABOUT, routes=app.routes
            )
            app.openapi_schema = completed(document)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """Add the errors that follow from what an operation takes. Those that a route declares win."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _FIXED:
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    for path in document["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            if "HTTPValidationError" in str(responses.get("422")):
                del responses["422"]
            operation["responses"] = {**_errors(operation), **responses}
    return document


def _errors(operation: Mapping[str, Any]) -> dict[str, Any]:
    errors = {
        "500": problem_response("A bug; the log has it under the request's id"),
        "503": problem_response("Busy, or without a service that this needs", _RETRY),
    }
    if "security" in operation:
        errors["401"] = problem_response("No token, or one that is refused", _CHALLENGE)
    if "requestBody" in operation:
        errors["400"] = problem_response("The body cannot be read")
        errors["413"] = problem_response("The body is too large")
    if "requestBody" in operation or "parameters" in operation:
        errors["422"] = problem_response("Something in the request is not valid")
    return dict(sorted(errors.items()))
